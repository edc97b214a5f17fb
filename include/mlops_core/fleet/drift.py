"""The monitor's last word on a model."""

from pydantic import ValidationError

from mlops_core.document import Document
from mlops_core.registry.records import DecisionRecord, UtcInstant

_SIGNALS = {
    "data_drift": "data drift",
    "prediction_drift": "prediction drift",
    "performance": "loss of performance",
}
_KEPT = ("answer", "reasons", "signals", "version", "page", "evidently")


class DriftVerdict(Document):
    """One window: what the monitor found, and what the retraining policy answered."""

    window: str
    at: UtcInstant
    answer: str = ""
    reasons: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    version: int | None = None
    problem: str = ""
    page: str = ""
    evidently: str | None = None

    @property
    def said(self) -> str:
        """What was found, as a phrase that begins a sentence."""
        found = ", ".join(_SIGNALS.get(signal, signal) for signal in self.signals) or "no drift"
        return found[:1].upper() + found[1:]


def drift_of(record: DecisionRecord | None) -> DriftVerdict | None:
    """Read a recorded decision; one that cannot be read is said to be so."""
    if record is None:
        return None
    kept = {name: record.decision[name] for name in _KEPT if name in record.decision}
    try:
        return DriftVerdict.model_validate({**kept, "window": record.window, "at": record.at})
    except ValidationError:
        return DriftVerdict(
            window=record.window, at=record.at, problem=f"The decision on {record.window} cannot be read"
        )
