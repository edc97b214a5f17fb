"""Where every model stands, read in one transaction with a fixed number of queries however many there are."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from mlops_core.document import Document
from mlops_core.registry import approvals, deployments, evaluations
from mlops_core.registry.conditions import top_of
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.production import beneath_of
from mlops_core.registry.records import (
    ApprovalRequest,
    DecisionRecord,
    Deployment,
    EvaluationRecord,
    LedgerState,
    PipelineRecord,
    TrainingRecord,
    Transition,
    VersionRecord,
)
from mlops_core.registry.schema import (
    DecisionRow,
    EvaluationRow,
    ModelRow,
    TrainingRow,
    TransitionRow,
    VersionRow,
)
from mlops_core.registry.versions import to_record

_DocumentT = TypeVar("_DocumentT", Transition, EvaluationRecord, DecisionRecord, TrainingRecord)


class Standing(Document):
    """The present of one model: what is in production, and the last word of everything that judges it."""

    model: str
    pipeline: PipelineRecord | None = None
    state: LedgerState
    since: Transition | None = None
    evaluation: EvaluationRecord | None = None
    decision: DecisionRecord | None = None
    training: TrainingRecord | None = None
    deployment: Deployment | None = None
    request: ApprovalRequest | None = None


def standings(ledger: Ledger, *, now: datetime, model: str | None = None) -> tuple[Standing, ...]:
    """Return where each declared or registered model stands, by name.

    Parameters
    ----------
    ledger
        The record.
    now
        The present instant: a request for approval that has expired does not wait.
    model
        Of this model alone; of all if None.
    """
    with ledger.reading() as session:
        pipelines = {record.name: record for record in evaluations.pipelines(session)}
        states = _states(session, model)
        since = _latest(session, TransitionRow, Transition, model)
        judged = _latest(session, EvaluationRow, EvaluationRecord, model)
        decided = _latest(session, DecisionRow, DecisionRecord, model)
        trained = _latest(session, TrainingRow, TrainingRecord, model)
        served = {deployment.model: deployment for deployment in deployments.deployments(session)}
        # Of several, the one that waits longest.
        asked = {asked.model: asked for asked in reversed(approvals.open_requests(session, model, now=now))}
    known = {*pipelines, *states, *judged, *trained}
    return tuple(
        Standing(
            model=name,
            pipeline=pipelines.get(name),
            state=states.get(name) or LedgerState(model=name, generation=0, champion=None, challenger=None),
            since=since.get(name),
            evaluation=judged.get(name),
            decision=decided.get(name),
            training=trained.get(name),
            deployment=served.get(name),
            request=asked.get(name),
        )
        for name in sorted(known if model is None else known & {model})
    )


def roll_back_target(ledger: Ledger, model: str) -> int | None:
    """Return the version that a roll back would put into production, if there is one."""
    with ledger.reading() as session:
        top = top_of(session, model)
        beneath = None if top is None else beneath_of(session, top)
        return None if beneath is None else beneath.version


def _states(session: Session, model: str | None) -> dict[str, LedgerState]:
    champions = select(VersionRow).join(
        TransitionRow,
        (TransitionRow.model == VersionRow.model) & (TransitionRow.version == VersionRow.version),
    )
    champions = champions.where(TransitionRow.id.in_(_last_ids(TransitionRow, model)))
    challengers = select(VersionRow).join(
        ModelRow, (ModelRow.name == VersionRow.model) & (ModelRow.challenger == VersionRow.version)
    )
    best, next_best = _by_model(session.scalars(champions)), _by_model(session.scalars(challengers))
    return {
        row.name: LedgerState(
            model=row.name,
            generation=row.generation,
            champion=best.get(row.name),
            challenger=next_best.get(row.name),
        )
        for row in session.scalars(select(ModelRow))
    }


def _by_model(rows: Iterable[VersionRow]) -> dict[str, VersionRecord]:
    return {row.model: to_record(row) for row in rows}


def _latest(
    session: Session, row: Any, document: type[_DocumentT], model: str | None
) -> dict[str, _DocumentT]:
    """Return the row that each model got last, as a document of the same fields."""
    found = session.scalars(select(row).where(row.id.in_(_last_ids(row, model))))
    return {
        last.model: document.model_validate({name: getattr(last, name) for name in document.model_fields})
        for last in found
    }


def _last_ids(row: Any, model: str | None) -> Select[Any]:
    ids = select(func.max(row.id)).group_by(row.model)
    return ids if model is None else ids.where(row.model == model)
