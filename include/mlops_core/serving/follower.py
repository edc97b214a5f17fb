"""Keeps what is served equal to what the ledger says, and survives both the ledger and MLflow being away."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mlops_core.errors import LedgerUnavailableError, MlopsError, ServiceUnavailableError
from mlops_core.registry.records import Deployment
from mlops_core.serving.metrics import ServerMetrics
from mlops_core.serving.prediction import ServedModel
from mlops_core.serving.protocol import ModelStatus, ReadyReport, VersionIdentity

_log = logging.getLogger(__name__)

_RETRY_UNAVAILABLE_S = 1.0
# The same files give the same refusal; a slow retry still finds out when somebody restored them.
_RETRY_REFUSED_S = 30.0
_LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Why a deployment could not be loaded, and when to try again."""

    deployment: Deployment
    reason: str
    is_final: bool
    retry_at_s: float


class Follower:
    """Polls the ledger in a thread of its own, loads what is deployed, and swaps it in.

    A swap replaces one reference: requests in flight finish on the version that they began with. A version
    that cannot be loaded never replaces a good one.

    Parameters
    ----------
    deployments
        Reads the ledger; may raise anything.
    load
        Makes a deployment's version ready to answer; may raise anything.
    on_swap
        Called in the follower's thread after each change of what is served.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        *,
        deployments: Callable[[], Sequence[Deployment]],
        load: Callable[[Deployment], ServedModel],
        metrics: ServerMetrics,
        poll_interval_s: float = 0.5,
        on_swap: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deployments = deployments
        self._load = load
        self._metrics = metrics
        self._poll_interval_s = poll_interval_s
        self._on_swap = on_swap
        self._clock = clock
        self._stopping = threading.Event()
        # A load that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="ledger-follower", daemon=True)
        # Each mapping is replaced and never changed, so that readers in other threads need no lock.
        self._wanted: Mapping[str, Deployment] = {}
        self._served: Mapping[str, ServedModel] = {}
        self._failures: Mapping[str, _Failure] = {}
        self._read_at_s = clock()
        self._was_read = False
        self._ledger_problem: str | None = None

    def start(self) -> None:
        """Begin to follow, in a thread."""
        self._thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Follow no longer; returns at once when a load is under way for longer than ``timeout_s``."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def serving(self, model: str) -> ServedModel | None:
        """Return the version that answers for a model now."""
        return self._served.get(model)

    def served(self) -> tuple[ServedModel, ...]:
        """Return every version that answers now, by model."""
        served = self._served
        return tuple(served[model] for model in sorted(served))

    def is_deployed(self, model: str) -> bool:
        """Tell whether the ledger wants a version of the model served."""
        return model in self._wanted

    def staleness_s(self) -> float:
        """Seconds since the ledger was read last, or since the start."""
        return max(0.0, self._clock() - self._read_at_s)

    def report(self) -> ReadyReport:
        """Return what is wanted, what is served, and why they differ."""
        wanted, served, failures = self._wanted, self._served, self._failures
        models = tuple(
            _status(wanted[model], served.get(model), failures.get(model)) for model in sorted(wanted)
        )
        return ReadyReport(
            ready=self._was_read and all(status.serving for status in models),
            ledger_staleness_s=self.staleness_s(),
            ledger_problem=self._ledger_problem,
            models=models,
        )

    def follow_once(self) -> None:
        """Look at the ledger once and load what is not served yet."""
        try:
            deployments = self._deployments()
        except Exception as error:  # noqa: BLE001  without a ledger the last versions are served on
            self._note_ledger_away(error)
            return
        wanted = {deployment.model: deployment for deployment in deployments}
        if lost := sorted(self._wanted.keys() - wanted.keys()):
            # A ledger never forgets a deployment: this is an empty or another one in its place.
            self._note_ledger_away(LedgerUnavailableError(f"it no longer holds {', '.join(lost)}"))
            return
        if self._ledger_problem is not None:
            _log.info("the ledger answers again")
        self._wanted = wanted
        self._read_at_s, self._was_read, self._ledger_problem = self._clock(), True, None
        for deployment in wanted.values():
            self._follow(deployment)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.follow_once()
            except Exception:  # noqa: BLE001  the thread must outlive whatever comes
                _log.exception("following the ledger failed; trying again")
            self._stopping.wait(self._poll_interval_s)

    def _note_ledger_away(self, error: Exception) -> None:
        if self._ledger_problem is None:
            _log.warning("the ledger does not answer; serving the last known versions: %s", error)
        self._ledger_problem = _reason(error)

    def _follow(self, deployment: Deployment) -> None:
        model, wanted = deployment.model, VersionIdentity.of(deployment.version)
        served = self._served.get(model)
        if served is not None and served.identity == wanted:
            self._forget_failure(model)
            return
        failure = self._failures.get(model)
        if failure and failure.deployment == deployment and self._clock() < failure.retry_at_s:
            return
        try:
            loaded = self._load(deployment)
        except Exception as error:  # noqa: BLE001  whatever it is, the version before serves on
            self._note_failure(deployment, error)
            return
        self._swap(loaded, former=served)

    def _swap(self, loaded: ServedModel, *, former: ServedModel | None) -> None:
        version = loaded.version
        self._served = {**self._served, version.model: loaded}
        if former is not None:
            self._metrics.unloaded(
                model=version.model, version=former.version.version, digest=former.version.digest
            )
        self._metrics.loaded(model=version.model, version=version.version, digest=version.digest)
        self._forget_failure(version.model)
        _log.info("serving %s version %d (digest %.12s)", version.model, version.version, version.digest)
        self._on_swap()

    def _note_failure(self, deployment: Deployment, error: Exception) -> None:
        is_final = not isinstance(error, (ServiceUnavailableError, OSError, MemoryError))
        pause_s = _RETRY_REFUSED_S if is_final else _RETRY_UNAVAILABLE_S
        failure = _Failure(
            deployment=deployment,
            reason=_reason(error),
            is_final=is_final,
            retry_at_s=self._clock() + pause_s,
        )
        known = self._failures.get(deployment.model)
        self._failures = {**self._failures, deployment.model: failure}
        self._metrics.load_failed(model=deployment.model, reason=type(error).__name__)
        if known is None or replace(known, retry_at_s=failure.retry_at_s) != failure:
            _log.error(
                "cannot serve %s version %d: %s",
                deployment.model,
                deployment.version.version,
                failure.reason,
                exc_info=None if isinstance(error, MlopsError) else error,
            )

    def _forget_failure(self, model: str) -> None:
        if model in self._failures:
            self._failures = {name: failure for name, failure in self._failures.items() if name != model}
            self._metrics.recovered(model=model)


def _status(deployment: Deployment, served: ServedModel | None, failure: _Failure | None) -> ModelStatus:
    current = failure if failure is not None and failure.deployment == deployment else None
    return ModelStatus(
        model=deployment.model,
        wanted=VersionIdentity.of(deployment.version),
        revision=deployment.revision,
        serving=None if served is None else served.identity,
        problem=None if current is None else current.reason,
        problem_is_final=current is not None and current.is_final,
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
