"""A gate of one's own: what its function answers, if it can be trusted."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.gates import CustomAnswer, CustomGate
from mlops_core.references import resolve

_LONGEST_REASON = 500


def words(gate: CustomGate) -> str:
    """Say what the gate asks for."""
    return f"{gate.name} by {gate.check}"


def subject(gate: CustomGate) -> str:
    """Name what is judged."""
    return gate.name


def judge(gate: CustomGate, evidence: Evidence) -> Answer:
    """Ask the function. Whatever it raises, and anything but an answer, is a refusal that names it."""
    try:
        answered = resolve(gate.check)(evidence.document(), **gate.parameters)
    # It is anyone's code and may raise anything; sys.exit() must not end the task without a verdict.
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        raise EvaluationError(f"{gate.check} raised {reason}") from error
    answer = _answer(answered, check=gate.check)
    return Answer(passed=answer.passed, value=answer.value, bound=answer.bound, reason=answer.reason)


def _answer(answered: Any, *, check: str) -> CustomAnswer:
    if isinstance(answered, CustomAnswer):
        # Built without validation it may hold anything.
        answered = dict(answered)
    if not isinstance(answered, Mapping):
        raise EvaluationError(
            f"{check} returned a {type(answered).__name__}; it must return a CustomAnswer,"
            " or a mapping with passed and reason"
        )
    try:
        return CustomAnswer.model_validate(dict(answered))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise EvaluationError(f"{check} returned no answer: {problems}"[:_LONGEST_REASON]) from error
