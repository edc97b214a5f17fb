"""A look that changes nothing finds the models whose aliases are not the ledger's."""

from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
from mlflow import MlflowClient
from mlflow.store.entities import PagedList

from mlops_core.registry.differences import differing_models
from mlops_core.registry.ledger import Ledger
from registry_examples import recorded


def mlflow_with(*pages: dict[str, dict[str, str]]) -> MlflowClient:
    client = create_autospec(MlflowClient, instance=True)
    answers = [
        PagedList(
            [SimpleNamespace(name=name, aliases=aliases) for name, aliases in page.items()],
            token=str(number) if number < len(pages) else None,
        )
        for number, page in enumerate(pages, start=1)
    ]
    client.search_registered_models.side_effect = answers
    client.search_model_versions.side_effect = lambda *_, **__: PagedList(
        [SimpleNamespace(version=str(number)) for number in (1, 2)], token=None
    )
    return client


@pytest.fixture
def ledger(ledger_url: str) -> Ledger:
    """One model with version 1 in production and 2 as its challenger, one with a challenger alone."""
    ledger = Ledger(ledger_url)
    recorded(ledger, 1, model="first")
    ledger.promote(
        "first",
        version=1,
        expected_generation=0,
        operation_key="promote",
        evidence_digest="evidence-1",
        actor="train",
        reason="",
    )
    recorded(ledger, 2, model="first")
    recorded(ledger, 1, model="second")
    return ledger


RIGHT = ({"first": {"champion": "1", "challenger": "2"}}, {"second": {"challenger": "1"}, "foreign": {}})


def test_aliases_that_agree_on_every_page_are_no_difference(ledger: Ledger) -> None:
    assert differing_models(ledger=ledger, client=mlflow_with(*RIGHT)) == ()


def test_an_alias_of_ones_own_is_no_difference(ledger: Ledger) -> None:
    own = {"first": {"champion": "1", "challenger": "2", "mine": "1"}}

    assert differing_models(ledger=ledger, client=mlflow_with(own, RIGHT[1])) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"champion": "2", "challenger": "2"},
        {"challenger": "2"},
        {"champion": "1"},
        {},
    ],
    ids=["champion moved", "champion gone", "challenger gone", "both gone"],
)
def test_an_alias_that_was_moved_or_removed_is_found(ledger: Ledger, changed: dict[str, str]) -> None:
    assert differing_models(ledger=ledger, client=mlflow_with({"first": changed}, RIGHT[1])) == ("first",)


def test_an_alias_whose_version_was_deleted_cannot_be_healed_and_is_left(ledger: Ledger) -> None:
    client = mlflow_with({"first": {"champion": "1"}}, RIGHT[1])
    client.search_model_versions.side_effect = lambda *_, **__: PagedList(
        [SimpleNamespace(version="1")], token=None
    )

    assert differing_models(ledger=ledger, client=client) == ()


def test_a_model_that_mlflow_has_lost_is_found(ledger: Ledger) -> None:
    assert differing_models(ledger=ledger, client=mlflow_with(RIGHT[0])) == ("second",)
