"""All models beside each other: a row a model, those that need a person first."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from mlops_core.document import Document
from mlops_core.fleet.attention import Attention, Severity, attention_of
from mlops_core.fleet.drift import DriftVerdict, drift_of
from mlops_core.registry.standing import Standing, standings

if TYPE_CHECKING:
    from mlops_core.registry.ledger import Ledger


class FleetRow(Document):
    """One model in the fleet."""

    standing: Standing
    drift: DriftVerdict | None
    attention: tuple[Attention, ...]

    @property
    def name(self) -> str:
        """The model's."""
        return self.standing.model

    @property
    def needs_person(self) -> bool:
        """Whether something is more than good to know."""
        return any(attention.severity != "know" for attention in self.attention)


class Fleet(Document):
    """Every model that the reader may see."""

    rows: tuple[FleetRow, ...]

    @property
    def in_production(self) -> int:
        """How many have a champion."""
        return sum(row.standing.state.champion is not None for row in self.rows)

    @property
    def waiting(self) -> int:
        """How many wait for an approval."""
        return sum(row.standing.request is not None for row in self.rows)

    @property
    def needing(self) -> int:
        """How many need a person."""
        return sum(row.needs_person for row in self.rows)

    def matching(self, text: str, *, only_needing: bool = False) -> tuple[FleetRow, ...]:
        """Return the rows whose name or owner holds the text."""
        wanted = text.strip().casefold()
        return tuple(
            row
            for row in self.rows
            if (row.needs_person or not only_needing) and wanted in f"{row.name} {_owner(row)}".casefold()
        )


def read_fleet(ledger: "Ledger", *, among: Collection[str], now: datetime) -> Fleet:
    """Read where these models stand.

    Parameters
    ----------
    ledger
        The record. MLflow is not asked.
    among
        Names that the reader may see.
    now
        The present instant.
    """
    rows = [
        FleetRow(
            standing=standing, drift=drift_of(standing.decision), attention=attention_of(standing, now=now)
        )
        for standing in standings(ledger, now=now)
        if standing.model in among
    ]
    return Fleet(rows=tuple(sorted(rows, key=_urgency)))


def _urgency(row: FleetRow) -> tuple[int, str]:
    return min((attention.urgency for attention in row.attention), default=len(get_args(Severity))), row.name


def _owner(row: FleetRow) -> str:
    return row.standing.pipeline.owner if row.standing.pipeline else ""
