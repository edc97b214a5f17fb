"""The size of the stored model's files against a bound."""

from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import SizeGate

_MEGABYTE = 10**6


def words(gate: SizeGate) -> str:
    """Say what the gate asks for."""
    return f"size at most {gate.maximum_mb:g} MB"


def subject(gate: SizeGate) -> str:  # noqa: ARG001  every gate of this kind judges the same
    """Name what is judged."""
    return "size_mb"


def judge(gate: SizeGate, evidence: Evidence) -> Answer:
    """Compare the size with the bound."""
    section = examined(evidence.sections.serving, part="serving", evidence=evidence)
    # A model of no bytes is no model.
    value = finite(section.size_bytes, what="the model's size in bytes", least=1) / _MEGABYTE
    passed = value <= gate.maximum_mb
    answer = "stays within" if passed else "exceeds"
    return Answer(
        passed=passed,
        value=value,
        bound=gate.maximum_mb,
        reason=(
            f"the model's files have {number_beside(value, gate.maximum_mb)} MB, which {answer}"
            f" the maximum {gate.maximum_mb:g} MB"
        ),
        evidence="sections/serving/size_bytes",
    )
