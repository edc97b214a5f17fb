"""A person's answer to whether a version may go to production: whether it counts, and its record."""

from collections.abc import Collection
from dataclasses import dataclass

from mlops_core.errors import ApprovalMissingError
from mlops_core.evaluation.report import EvaluationReport
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
        If the person may not answer, or approves other evidence. Nothing is recorded.
    PromotionConflictError
        If the champion has moved since the version was judged.
    """
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
    decide = ledger.approve if answer.approves else ledger.reject
    return decide(
        record.model,
        version=record.version,
        expected_generation=report.generation,
        evidence_digest=report.digest(),
        actor=answer.user_name,
        reason=answer.reason.strip() or "no reason given",
        operation_key=operation_key,
    )


def record_silence(
    record: VersionRecord, *, report: EvaluationReport, waited: str, ledger: Ledger, operation_key: str
) -> Approval:
    """Record that nobody answered in time, which is a no.

    Parameters
    ----------
    waited
        How long, in words.
    """
    return ledger.reject(
        record.model,
        version=record.version,
        expected_generation=report.generation,
        evidence_digest=report.digest(),
        actor=_NOBODY,
        reason=f"no answer within {waited}",
        operation_key=operation_key,
    )


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
