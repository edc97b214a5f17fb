"""Where a card is put, and that putting it twice is putting it once."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from card_examples import ATTACK
from lineage_examples import Records
from mlops_core.artifacts import find_artifact, list_artifacts
from mlops_core.cards.documents import CardApproval, ModelCard
from mlops_core.cards.places import card_page
from mlops_core.cards.write import write_card
from mlops_core.reports import ReportStore


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    return ReportStore(tmp_path / "reports")


@pytest.fixture
def client(records: Records) -> MlflowClient:
    """A registry that has two versions of the model; the card is of the second."""
    records.client.create_registered_model(records.model)
    for _ in range(2):
        records.client.create_model_version(records.model, source="/nowhere")
    return records.client


def test_the_card_lies_beside_the_run_and_in_the_report_store(
    card: ModelCard, client: MlflowClient, reports: ReportStore
) -> None:
    page = write_card(card, client=client, reports=reports)

    assert page == f"{card.model}/card/v2/card.html" == card_page(card.model, 2)
    for name in ("card.html", "card.json", "card.md"):
        stored = find_artifact(client, card.training.run_id, f"card/v2/{name}")
        assert stored is not None
        assert stored == reports.path(f"{card.model}/card/v2/{name}").read_bytes()
    kept = reports.path(f"{card.model}/card/v2/card.json").read_bytes()
    assert ModelCard.model_validate_json(kept) == card


def test_mlflow_describes_the_version_in_one_paragraph_and_says_where_the_card_is(
    card: ModelCard, client: MlflowClient, reports: ReportStore
) -> None:
    described = card.model_copy(update={"description": f"Parcels of {ATTACK}.\n\nMore."})

    write_card(described, client=client, reports=reports)

    text = client.get_model_version(card.model, "2").description
    assert text.startswith("Parcels of \\<script\\>")
    assert "More" not in text
    assert f"`card/v2/card.md` in run `{card.training.run_id}`" in text


def test_written_again_it_is_replaced_and_nothing_is_left_beside_it(
    card: ModelCard, client: MlflowClient, reports: ReportStore
) -> None:
    write_card(card, client=client, reports=reports)
    approved = card.model_copy(update={"approval": CardApproval(status="approved", actor="grace")})

    page = write_card(approved, client=client, reports=reports)

    assert "approved by grace" in reports.path(page).read_text()
    assert len(list_artifacts(client, card.training.run_id, "card/v2")) == 3


def test_a_version_that_mlflow_no_longer_has_keeps_its_card(
    card: ModelCard, client: MlflowClient, reports: ReportStore
) -> None:
    client.delete_model_version(card.model, "2")

    page = write_card(card, client=client, reports=reports)

    assert reports.path(page).is_file()


def test_the_page_says_what_was_not_examined_and_escapes_names(
    card: ModelCard, client: MlflowClient, reports: ReportStore
) -> None:
    text = reports.path(write_card(card, client=client, reports=reports)).read_text()

    assert "Not examined" in text
    assert "evaluation.replay is not declared" in text
    assert "ValueError: too many columns" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
