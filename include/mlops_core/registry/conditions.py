"""What a decision must find. Every function takes the session of the ledger's transaction."""

from typing import Literal, NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import GateRefusedError, PromotionConflictError
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.schema import TransitionRow

Kind = Literal["promote", "roll_back", "adopt"]
DONE = {"promote": "promoted", "roll_back": "rolled back to", "adopt": "adopted"}


def top_of(session: Session, model: str) -> TransitionRow | None:
    """Return the transition that holds, if there was one."""
    return session.scalars(
        select(TransitionRow)
        .where(TransitionRow.model == model)
        .order_by(TransitionRow.generation.desc())
        .limit(1)
    ).first()


def generation_of(top: TransitionRow | None) -> int:
    """Return the generation that a model's last transition began."""
    return 0 if top is None else top.generation


def require_generation(session: Session, model: str, expected: int, *, asked: str) -> None:
    """Refuse what was decided against another generation.

    Raises
    ------
    PromotionConflictError
        Saying who moved the model, when, and to which version.
    """
    top = top_of(session, model)
    if expected != generation_of(top):
        refuse(expected, top=top, asked=asked)


def refuse(expected: int, *, top: TransitionRow | None, asked: str) -> NoReturn:
    """Say who came first."""
    present = "no version was ever in production" if top is None else say(top)
    raise PromotionConflictError(
        f"cannot {asked}: expected generation {expected}, but the ledger is at generation "
        f"{generation_of(top)}: {present}. Decide again against what is in production now"
    )


def require_evidence(target: VersionRecord, evidence_digest: str) -> str:
    """Return the version's evidence if it is the one that was decided on.

    Raises
    ------
    GateRefusedError
        If it has none, or another one.
    """
    named = f"version {target.version} of {target.model!r}"
    if target.evidence_digest is None:
        raise GateRefusedError(f"{named} has no evaluation report that passed; evaluate it, then register it")
    if target.evidence_digest != evidence_digest:
        raise GateRefusedError(
            f"{named} was registered with the evaluation report {target.evidence_digest}, and not with "
            f"{evidence_digest or 'none'}; decide on the registered report"
        )
    return target.evidence_digest


def say(row: TransitionRow) -> str:
    """Say what a transition did."""
    return f"{row.actor!r} {DONE[row.kind]} version {row.version} at {row.at.isoformat()}"
