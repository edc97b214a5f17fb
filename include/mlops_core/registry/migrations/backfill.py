"""Events for what a ledger recorded before it had an audit trail, in the order in which it came.

Written in plain SQL: the tables of that time stay as they were, whatever becomes of the present ones.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

import sqlalchemy as sa

from mlops_core.registry import chain

Row = dict[str, Any]

_EVENTS = sa.table(
    "ledger_events",
    *(sa.column(name) for name in ("sequence", "model", "kind", "version", "generation", "digest")),
    *(sa.column(name) for name in ("evidence_digest", "actor", "reason", "operation_key")),
    *(sa.column(name) for name in ("former_hash", "hash")),
    sa.column("at", sa.DateTime(timezone=True)),
)
_INSTANTS = {"at": sa.DateTime(timezone=True)}
_CAUSE = ("model", "version", "actor", "operation_key", "at")


def seal_the_past(connection: sa.Connection) -> None:
    """Write one event for every version, transition and deployment."""
    for model in connection.scalars(sa.text("SELECT name FROM ledger_models ORDER BY name")).all():
        events = list(_sealed(str(model), _in_order(_said(connection, str(model)))))
        if events:
            connection.execute(_EVENTS.insert(), events)


def _said(connection: sa.Connection, model: str) -> tuple[list[Row], list[Row], list[Row]]:
    versions = _rows(connection, "ledger_versions", "version", model=model)
    files = {row["version"]: (row["digest"], row["evidence_digest"]) for row in versions}
    transitions = _rows(connection, "ledger_transitions", "generation", model=model)
    deployments = _rows(connection, "ledger_deployments", "id", model=model)

    def event(row: Row, *, kind: str, reason: str) -> Row:
        digest, evidence = files[row["version"]]
        said = {name: row[name] for name in _CAUSE}
        return said | {"kind": kind, "reason": reason, "digest": digest, "evidence_digest": evidence}

    registered = [
        event(row, kind="register", reason=chain.registered_as(run_id=row["run_id"], uri=row["uri"]))
        for row in versions
    ]
    own = ("generation", "digest", "evidence_digest")
    moved = [
        event(row, kind=row["kind"], reason=row["reason"]) | {name: row[name] for name in own}
        for row in transitions
    ]
    deployed = [
        event(row, kind="deploy", reason=chain.deployed_as(share=row["share"], revision=row["revision"]))
        | {"generation": row["generation"]}
        for row in deployments
    ]
    return registered, moved, deployed


def _in_order(said: tuple[list[Row], list[Row], list[Row]]) -> list[Row]:
    """Put the events of each generation behind the transition that began it.

    Clocks of two machines differ: a version was registered before it was promoted, whatever they say.
    """
    registered, moved, deployed = said
    for event in registered:
        begun = sum(move["at"] <= event["at"] for move in moved)
        used = (move["generation"] for move in moved if move["version"] == event["version"])
        event["generation"] = min(begun, min(used, default=begun + 1) - 1)
    later = sorted([*registered, *deployed], key=lambda event: event["at"])
    return sorted([*moved, *later], key=lambda event: event["generation"])


def _sealed(model: str, events: Iterable[Row]) -> Iterable[Row]:
    former = chain.genesis(model)
    for sequence, event in enumerate(events, 1):
        content = {**event, "sequence": sequence, "former_hash": former}
        former = chain.seal(content)
        yield {**content, "hash": former}


def _rows(connection: sa.Connection, table: str, order: str, *, model: str) -> Sequence[Row]:
    # The names are the two above and no user's.
    query = sa.text(f"SELECT * FROM {table} WHERE model = :model ORDER BY {order}")  # noqa: S608
    found = connection.execute(query.columns(**_INSTANTS), {"model": model}).mappings()
    rows = [dict(row) for row in found]
    for row in rows:
        # SQLite keeps instants without their time zone.
        row["at"] = row["at"].replace(tzinfo=UTC) if row["at"].tzinfo is None else row["at"].astimezone(UTC)
    return rows
