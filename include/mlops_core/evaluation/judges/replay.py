"""How often the challenger contradicts what was served, against a bound."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import ReplayGate


def words(gate: ReplayGate) -> str:
    """Say what the gate asks for."""
    return f"at most {gate.maximum_disagreement:.2%} of replayed labels differ"


def subject(gate: ReplayGate) -> str:  # noqa: ARG001  every gate of this kind judges the same
    """Name what is judged."""
    return "replay_disagreement"


def judge(gate: ReplayGate, evidence: Evidence) -> Answer:
    """Compare the share of rows whose label differs with the bound."""
    section = examined(evidence.sections.replay, part="replay", evidence=evidence)
    if not section.windows:
        if section.disagreement is not None:
            raise EvaluationError("there is a disagreement without a replayed window; evaluate again")
        return Answer(passed=True, reason="nothing was ever served; there is nothing to replay")
    rows = sum(window.rows for window in section.windows)
    if not all(window.rows > 0 for window in section.windows):
        raise EvaluationError("a replayed window has no row; a gate needs at least one")
    value = finite(section.disagreement, what="the disagreement", least=0, most=1)
    passed = value <= gate.maximum_disagreement
    answer = "stays within" if passed else "exceeds"
    return Answer(
        passed=passed,
        value=value,
        bound=gate.maximum_disagreement,
        reason=(
            f"on {rows:,} rows of {', '.join(window.partition for window in section.windows)}"
            f" a share of {number_beside(value, gate.maximum_disagreement)} gets a label that was not served,"
            f" which {answer} the maximum {gate.maximum_disagreement:g}"
        ),
        evidence="sections/replay/disagreement",
    )
