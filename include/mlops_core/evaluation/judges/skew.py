"""The stored model in a clean process against the one that was evaluated."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import SkewGate


def words(gate: SkewGate) -> str:
    """Say what the gate asks for."""
    return f"skew at most {gate.tolerance:g}"


def subject(gate: SkewGate) -> str:  # noqa: ARG001  every gate of this kind judges the same
    """Name what is judged."""
    return "skew"


def judge(gate: SkewGate, evidence: Evidence) -> Answer:
    """Compare the largest difference of a score with the tolerance; no label may differ."""
    skew = examined(evidence.sections.serving, part="serving", evidence=evidence).skew
    if not skew.rows > 0:
        raise EvaluationError("no row was scored in both processes; a gate needs at least one")
    value = finite(skew.largest_difference, what="the largest difference of a score", least=0)
    labels = finite(skew.differing_labels, what="the number of differing labels", least=0, most=skew.rows)
    passed = value <= gate.tolerance and labels == 0
    answer = "stays within" if value <= gate.tolerance else "exceeds"
    return Answer(
        passed=passed,
        value=value,
        bound=gate.tolerance,
        reason=(
            f"loaded in a clean process, scores of {skew.rows} rows differ by at most"
            f" {number_beside(value, gate.tolerance)}, which {answer} the tolerance {gate.tolerance:g};"
            f" {skew.differing_labels} labels differ"
        ),
        evidence="sections/serving/skew/largest_difference",
    )
