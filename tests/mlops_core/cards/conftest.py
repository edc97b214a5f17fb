"""A version with evidence in depth, and its card."""

from collections.abc import Callable
from typing import Any

import pytest

from card_examples import carded, declared
from lineage_examples import Records, clock, records
from mlops_core.cards.build import build_card
from mlops_core.cards.documents import ModelCard

__all__ = ["clock", "records"]


@pytest.fixture
def card_of(records: Records, local_tracking_uri: str) -> Callable[..., ModelCard]:
    """Build the card of a version whose report has the given changes."""

    def build(*, pipeline: dict[str, Any] | None = None, **changes: Any) -> ModelCard:
        version, report = carded(records, **changes)
        return build_card(
            declared(records.model, **(pipeline or {})),
            version=version,
            report=report,
            ledger=records.ledger,
            tracking_uri=local_tracking_uri,
        )

    return build


@pytest.fixture
def card(card_of: Callable[..., ModelCard]) -> ModelCard:
    return card_of()
