"""Gates: may the challenger go to production? Every doubt is a no, with its own words.

Each judge asks whether the evidence passes, never whether it fails, so a NaN, which compares false with
everything, is refused like any other number that does not reach its bound.
"""

import importlib
import math
from collections.abc import Sequence
from typing import Any

from mlops_core.errors import EvaluationError, GateRefusedError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.report import EvaluationReport, GateVerdict
from mlops_core.gates import Gate

__all__ = ["Evidence", "enforce", "judge"]


def judge(gates: Sequence[Gate], *, evidence: Evidence) -> tuple[GateVerdict, ...]:
    """Return each gate's verdict on the challenger, in the gates' order."""
    return tuple(_judge_one(gate, evidence) for gate in gates)


def enforce(report: EvaluationReport) -> None:
    """Let a challenger through that every gate passed.

    Raises
    ------
    GateRefusedError
        Naming each gate that refused, with its numbers and bound; or saying that no gate was judged.
    """
    if report.passed:
        return
    who = f"candidate {report.challenger.candidate!r} of {report.pipeline!r}"
    if not report.verdicts:
        raise GateRefusedError(f"{who} is refused: no gate was judged; declare at least one in the pipeline")
    refusals = [verdict for verdict in report.verdicts if not verdict.passed]
    lines = "".join(f"\n  {verdict.gate}: {verdict.reason}" for verdict in refusals)
    raise GateRefusedError(f"{who} is refused by {len(refusals)} of {len(report.verdicts)} gates:{lines}")


def _judge_one(gate: Gate, evidence: Evidence) -> GateVerdict:
    judge: Any = importlib.import_module(f"mlops_core.evaluation.judges.{gate.kind}")
    try:
        answer = _finite(judge.judge(gate, evidence))
    except EvaluationError as doubt:
        answer = Answer(passed=False, reason=str(doubt))
    return GateVerdict(
        gate=judge.words(gate),
        metric=judge.subject(gate),
        kind=gate.kind,
        passed=answer.passed,
        value=answer.value,
        bound=answer.bound,
        reason=answer.reason,
        evidence=answer.evidence,
    )


def _finite(answer: Answer) -> Answer:
    for number in (answer.value, answer.bound):
        if number is not None and not math.isfinite(number):
            raise EvaluationError(f"its number is {number}; a gate needs a finite one ({answer.reason})")
    return answer
