"""Which aliases MLflow should show, and whether it is known to show them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError
from mlops_core.registry.production import state_of
from mlops_core.registry.records import Aliases, LedgerState
from mlops_core.registry.schema import ModelRow
from mlops_core.registry.versions import lock


def wanted(state: LedgerState) -> Aliases:
    """Return the aliases that mirror a state."""
    return Aliases(
        champion=None if state.champion is None else state.champion.version,
        challenger=None if state.challenger is None else state.challenger.version,
    )


def is_mirrored(session: Session, model: str) -> bool:
    """Return whether the aliases were confirmed since the ledger last moved."""
    row = session.get(ModelRow, model)
    if row is None:
        known = ", ".join(session.scalars(select(ModelRow.name).order_by(ModelRow.name))) or "none"
        raise DeclarationError(f"the ledger knows no model {model!r}; models it knows: {known}")
    return row.mirrored


def aim_of(session: Session, model: str) -> tuple[Aliases, bool]:
    """Return the aliases that MLflow should show, and whether they were confirmed since the ledger moved."""
    return wanted(state_of(session, model)), is_mirrored(session, model)


def confirm(session: Session, model: str, *, shown: Aliases) -> bool:
    """Remember that MLflow shows these aliases, unless the ledger wants others by now."""
    row = lock(session, model)
    if row is None or wanted(state_of(session, model)) != shown:
        return False
    row.mirrored = True
    return True
