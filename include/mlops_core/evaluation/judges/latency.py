"""A quantile of the time of one request against a bound."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import LatencyGate


def words(gate: LatencyGate) -> str:
    """Say what the gate asks for."""
    return f"{gate.quantile} latency at most {gate.maximum_ms:g} ms"


def subject(gate: LatencyGate) -> str:
    """Name what is judged."""
    return f"latency_{gate.quantile}_ms"


def judge(gate: LatencyGate, evidence: Evidence) -> Answer:
    """Compare the quantile with the bound."""
    section = examined(evidence.sections.serving, part="serving", evidence=evidence)
    if not section.requests > 0:
        raise EvaluationError("no request was timed; a gate needs at least one")
    found: float = getattr(section, f"{gate.quantile}_ms")
    value = finite(found, what=f"{gate.quantile} latency in ms", least=0)
    passed = value <= gate.maximum_ms
    answer = "stays within" if passed else "exceeds"
    rows = "1 row" if section.rows_a_request == 1 else f"{section.rows_a_request} rows"
    return Answer(
        passed=passed,
        value=value,
        bound=gate.maximum_ms,
        reason=(
            f"{gate.quantile} of {section.requests} requests of {rows} is"
            f" {number_beside(value, gate.maximum_ms)} ms and {answer} the maximum {gate.maximum_ms:g} ms"
        ),
        evidence=f"sections/serving/{gate.quantile}_ms",
    )
