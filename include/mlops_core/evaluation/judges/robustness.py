"""What a metric loses under the worst of the declared perturbations."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.sections import perturbed_metric
from mlops_core.evaluation.wording import number, number_beside
from mlops_core.gates import RobustnessGate


def words(gate: RobustnessGate) -> str:
    """Say what the gate asks for."""
    return f"{gate.metric} worse by at most {gate.maximum_loss:g} under every perturbation"


def subject(gate: RobustnessGate) -> str:
    """Name what is judged."""
    return gate.metric


def judge(gate: RobustnessGate, evidence: Evidence) -> Answer:
    """Compare the greatest loss with the bound; a perturbation without a score is a refusal."""
    metric = find_metric(gate.metric)
    section = examined(evidence.sections.robustness, part="robustness", evidence=evidence)
    if not section.rows > 0:
        raise EvaluationError("no perturbed row was scored; a gate needs at least one")
    for absent in section.missing:
        if absent.metric.startswith(perturbed_metric(metric.name, perturbation="")):
            raise EvaluationError(f"there is no {absent.metric}: {absent.reason}")
    scores = [score for score in section.scores if score.metric == metric.name]
    if not scores:
        raise EvaluationError(f"{metric.name} was scored under no perturbation; evaluate again")
    for score in scores:
        what = perturbed_metric(metric.name, perturbation=score.perturbation)
        finite(score.value, what=what, least=metric.lower, most=metric.upper)
        finite(score.loss, what=f"the loss of {what}")
    worst = max(scores, key=lambda score: score.loss)
    passed = worst.loss <= gate.maximum_loss
    answer = "stays within" if passed else "exceeds"
    return Answer(
        passed=passed,
        value=worst.loss,
        bound=gate.maximum_loss,
        reason=(
            f"{metric.name} loses most under {worst.perturbation}: it is {number(worst.value)} there,"
            f" a loss of {number_beside(worst.loss, gate.maximum_loss, sign='+')}, which {answer}"
            f" the maximum {gate.maximum_loss:g}"
        ),
        evidence=f"sections/robustness/{worst.perturbation}/{metric.name}",
    )
