"""Decisions of people about promotions. Every function takes the session of the ledger's transaction.

A decision is bound to its subject: the version, its evidence, and the generation it was judged against.
"""

from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from mlops_core.errors import ApprovalMissingError, DeclarationError
from mlops_core.registry import events
from mlops_core.registry.cause import Cause
from mlops_core.registry.conditions import require_evidence, require_generation
from mlops_core.registry.records import Approval, ApprovalRequest
from mlops_core.registry.schema import ApprovalRequestRow, ApprovalRow, ModelRow
from mlops_core.registry.versions import find_row, lock, require_in_use, to_record

Verdict = Literal["approve", "reject"]


def request(session: Session, wanted: ApprovalRequest) -> ApprovalRequest:
    """Add a request, or return the one of the same operation key."""
    row = session.scalars(
        select(ApprovalRequestRow).where(ApprovalRequestRow.operation_key == wanted.operation_key)
    ).one_or_none()
    if row is None:
        find_row(session, wanted.model, wanted.version)
        session.add(ApprovalRequestRow(**{**wanted.model_dump(), "approvers": list(wanted.approvers)}))
        session.flush()
        return wanted
    first = _request(row)
    if _subject(first) != _subject(wanted):
        raise DeclarationError(
            f"operation key {wanted.operation_key!r} asked about {_say(first)}; "
            f"it cannot ask about {_say(wanted)} too"
        )
    return first


def open_requests(session: Session, model: str | None, *, now: datetime) -> tuple[ApprovalRequest, ...]:
    """Return the requests that somebody may still answer, the first one first."""
    answered = select(ApprovalRow.id).where(
        ApprovalRow.model == ApprovalRequestRow.model,
        ApprovalRow.version == ApprovalRequestRow.version,
        ApprovalRow.generation == ApprovalRequestRow.generation,
        ApprovalRow.evidence_digest == ApprovalRequestRow.evidence_digest,
        # A question that is asked again after an answer waits for another one.
        ApprovalRow.at >= ApprovalRequestRow.at,
    )
    query = (
        select(ApprovalRequestRow)
        .join(ModelRow, ModelRow.name == ApprovalRequestRow.model)
        .where(
            ApprovalRequestRow.generation == ModelRow.generation,
            ApprovalRequestRow.expires_at > now,
            ~answered.exists(),
        )
        .order_by(ApprovalRequestRow.id)
    )
    if model is not None:
        query = query.where(ApprovalRequestRow.model == model)
    return tuple(_request(row) for row in session.scalars(query))


def decide(
    session: Session,
    model: str,
    *,
    version: int,
    expected_generation: int,
    evidence_digest: str,
    verdict: Verdict,
    cause: Cause,
) -> Approval:
    """Add a decision. An approval must be of what could be promoted now; a rejection always counts."""
    cause.require_reason(f"{verdict} version {version} of {model!r}")
    known = lock(session, model)
    first = _first(session, cause.operation_key)
    asked = (model, version, expected_generation, evidence_digest, verdict)
    if first is not None:
        if (*_subject(first), first.verdict) != asked:
            raise DeclarationError(
                f"operation key {cause.operation_key!r} decided to {first.verdict} {_say(first)}; "
                "it cannot decide anything else too"
            )
        return first
    files = find_row(session, model, version)
    if verdict == "approve":
        wish = f"approve version {version} of {model!r}"
        require_in_use(session, model, version, asked=wish)
        require_generation(session, model, expected_generation, asked=wish)
        require_evidence(to_record(files), evidence_digest)
    row = ApprovalRow(
        model=model,
        version=version,
        generation=expected_generation,
        evidence_digest=evidence_digest,
        verdict=verdict,
        actor=cause.actor,
        reason=cause.reason,
        operation_key=cause.operation_key,
        at=cause.at,
    )
    session.add(row)
    session.flush()
    generation = 0 if known is None else known.generation
    events.append(session, events.of_approval(row, files, generation=generation))
    return _approval(row)


def approvals(session: Session, model: str) -> tuple[Approval, ...]:
    """Return the decisions about the model's versions, the first one first."""
    rows = session.scalars(select(ApprovalRow).where(ApprovalRow.model == model).order_by(ApprovalRow.id))
    return tuple(_approval(row) for row in rows)


def require_unrejected(
    session: Session, model: str, *, version: int, generation: int, evidence_digest: str
) -> None:
    """Refuse a promotion about which the last word is a no, whether or not it needs an approval.

    Raises
    ------
    ApprovalMissingError
        Saying who rejected it and why.
    """
    last = _last(session, _is_about(model, version, generation, evidence_digest))
    if last is not None and last.verdict == "reject":
        raise ApprovalMissingError(
            f"cannot promote version {version} of {model!r}: {last.actor!r} rejected "
            f"{_say(last)}: {last.reason}"
        )


def require_not_rejected(session: Session, model: str, *, version: int, asked: str) -> None:
    """Refuse a version about which the last word is a no, whatever promotion it was said of.

    Raises
    ------
    ApprovalMissingError
        Saying who rejected it and why, and that another approval takes it back.
    """
    last = _last(session, (ApprovalRow.model == model) & (ApprovalRow.version == version))
    if last is not None and last.verdict == "reject":
        raise ApprovalMissingError(
            f"cannot {asked}: {last.actor!r} rejected {_say(last)} at {last.at.isoformat()}: {last.reason}. "
            "Only an approval of the version that comes after it takes that back"
        )


def require_approval(
    session: Session, model: str, *, version: int, generation: int, evidence_digest: str, approval_key: str
) -> Approval:
    """Return the approval of that operation key if it is of exactly this promotion and still holds.

    Raises
    ------
    ApprovalMissingError
        Saying what is there instead.
    """
    asked = f"cannot promote version {version} of {model!r}"
    row = session.scalars(select(ApprovalRow).where(ApprovalRow.operation_key == approval_key)).one_or_none()
    if row is None:
        raise ApprovalMissingError(
            f"{asked}: nobody has approved it under {approval_key!r}; ask for approval"
        )
    found = _approval(row)
    if found.verdict != "approve":
        raise ApprovalMissingError(f"{asked}: {found.actor!r} rejected {_say(found)}: {found.reason}")
    if _subject(found) != (model, version, generation, evidence_digest):
        raise ApprovalMissingError(
            f"{asked} on evidence {evidence_digest} against generation {generation}: {found.actor!r} "
            f"approved {_say(found)}; ask for approval of this one"
        )
    later = session.scalars(
        select(ApprovalRow).where(
            _is_about(*_subject(found)), ApprovalRow.verdict == "reject", ApprovalRow.id > row.id
        )
    ).first()
    if later is not None:
        raise ApprovalMissingError(
            f"{asked}: {found.actor!r} approved it, but {later.actor!r} rejected it later: {later.reason}"
        )
    return found


def _first(session: Session, operation_key: str) -> Approval | None:
    row = session.scalars(select(ApprovalRow).where(ApprovalRow.operation_key == operation_key)).one_or_none()
    return None if row is None else _approval(row)


def _last(session: Session, which: ColumnElement[bool]) -> Approval | None:
    row = session.scalars(select(ApprovalRow).where(which).order_by(ApprovalRow.id.desc()).limit(1)).first()
    return None if row is None else _approval(row)


def _is_about(model: str, version: int, generation: int, evidence_digest: str) -> ColumnElement[bool]:
    return (
        (ApprovalRow.model == model)
        & (ApprovalRow.version == version)
        & (ApprovalRow.generation == generation)
        & (ApprovalRow.evidence_digest == evidence_digest)
    )


def _subject(document: Approval | ApprovalRequest) -> tuple[str, int, int, str]:
    return document.model, document.version, document.generation, document.evidence_digest


def _say(document: Approval | ApprovalRequest) -> str:
    return (
        f"version {document.version} of {document.model!r} on evidence {document.evidence_digest} "
        f"against generation {document.generation}"
    )


def _approval(row: ApprovalRow) -> Approval:
    return Approval.model_validate({name: getattr(row, name) for name in Approval.model_fields})


def _request(row: ApprovalRequestRow) -> ApprovalRequest:
    fields = {name: getattr(row, name) for name in ApprovalRequest.model_fields}
    return ApprovalRequest.model_validate({**fields, "approvers": tuple(row.approvers)})
