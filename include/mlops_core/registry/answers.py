"""A person's answer to whether a version may go to production: whether it counts, and its record."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from mlops_core.errors import ApprovalMissingError
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.policies import LONGEST_REASON, SHORTEST_REASON
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Approval, VersionRecord

_NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class PersonsAnswer:
    """What a person said.

    Parameters
    ----------
    evidence
        The evidence digest that the answer names; None if it names none.
    """

    user_id: str
    user_name: str
    approves: bool
    reason: str
    evidence: str | None


def record_answer(
    answer: PersonsAnswer,
    record: VersionRecord,
    *,
    report: EvaluationReport,
    approvers: Collection[str],
    requester: str | None,
    ledger: Ledger,
    operation_key: str,
) -> Approval:
    """Record an answer for exactly this version, evidence and generation.

    A rejection counts whatever its reason is; one that is too long is shortened.

    Parameters
    ----------
    report
        The version's evidence.
    approvers
        Ids or names of those who may answer; everybody if empty.
    requester
        Who caused the training and may not answer; None if that does not matter.

    Raises
    ------
    ApprovalMissingError
        If the person may not answer, approves other evidence, or approves without a reason of a length that
        is allowed. Nothing is recorded.
    PromotionConflictError
        If the champion has moved since the version was judged.
    """
    _require_valid(answer, report=report, approvers=approvers, requester=requester)
    decide = ledger.approve if answer.approves else ledger.reject
    return decide(
        record.model,
        version=record.version,
        expected_generation=report.generation,
        evidence_digest=report.digest(),
        actor=answer.user_name,
        reason=_shortened(answer.reason.strip()) or "no reason given",
        operation_key=operation_key,
    )


def _require_valid(
    answer: PersonsAnswer, *, report: EvaluationReport, approvers: Collection[str], requester: str | None
) -> None:
    names = {answer.user_id, answer.user_name}
    if approvers and not names & set(approvers):
        raise ApprovalMissingError(
            f"{answer.user_name} may not answer; approvers: {', '.join(approvers)}. Clear this task to "
            "ask again"
        )
    if requester in names:
        raise ApprovalMissingError(
            f"{answer.user_name} caused this training and may not approve it too; clear this task and let "
            "another approver answer"
        )
    if answer.approves and answer.evidence != report.digest():
        raise ApprovalMissingError(
            f"the approval of {answer.user_name} is void: it names the evidence {answer.evidence!r}, "
            f"and the version stands on {report.digest()!r}; clear this task to ask again"
        )
    length = len(answer.reason.strip())
    if answer.approves and not SHORTEST_REASON <= length <= LONGEST_REASON:
        raise ApprovalMissingError(
            f"the approval of {answer.user_name} is void: its reason has {length} characters, and needs "
            f"{SHORTEST_REASON} to {LONGEST_REASON}; clear this task to ask again"
        )


def _shortened(reason: str) -> str:
    if len(reason) <= LONGEST_REASON:
        return reason
    return f"{reason[:LONGEST_REASON]} (shortened: it had {len(reason)} characters)"


def record_silence(
    record: VersionRecord,
    *,
    report: EvaluationReport,
    waited: timedelta,
    ledger: Ledger,
    operation_key: str,
) -> Approval:
    """Record that nobody answered in time, which is a no.

    Parameters
    ----------
    waited
        How long.
    """
    return ledger.reject(
        record.model,
        version=record.version,
        expected_generation=report.generation,
        evidence_digest=report.digest(),
        actor=_NOBODY,
        reason=f"no answer within {_in_words(waited)}",
        operation_key=operation_key,
    )


def _in_words(waited: timedelta) -> str:
    """Say a time in the largest unit that it is a whole number of, down to minutes."""
    for unit, seconds in (("day", 86400), ("hour", 3600)):
        count, rest = divmod(waited.total_seconds(), seconds)
        if count and not rest:
            return _counted(count, unit)
    return _counted(waited.total_seconds() / 60, "minute")


def _counted(count: float, unit: str) -> str:
    return f"{count:g} {unit}" + ("" if count == 1 else "s")


def require_yes(answered: Approval) -> Approval:
    """Return the decision if it is an approval.

    Raises
    ------
    ApprovalMissingError
        Saying who rejected it, and why.
    """
    if answered.verdict != "approve":
        raise ApprovalMissingError(
            f"version {answered.version} of {answered.model} is rejected by {answered.actor}: "
            f"{answered.reason}"
        )
    return answered
