"""A real model on a real MLflow server: its card, its lineage, and its retirement."""

from pathlib import Path

import pytest

from mlops_core.artifacts import find_artifact, list_artifacts
from mlops_core.cards.build import build_card
from mlops_core.cards.documents import ModelCard
from mlops_core.cards.write import write_card
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import RegistryUnavailableError
from mlops_core.evaluation.evaluate import evaluate
from mlops_core.evaluation.evidence import read_report
from mlops_core.lineage.trace import lineage_of_version
from mlops_core.planning import TrainingRequest, plan_training
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mlflow_versions import search_versions
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.register import register
from mlops_core.reports import ReportStore
from mlops_core.retirement.archive import check_archive
from mlops_core.retirement.retire import retire
from mlops_core.tracking import tracking_client
from mlops_core.training.train import train
from servers import MlflowServer
from toy_models import BINARY, PARTITIONS, load

pytestmark = pytest.mark.integration

PIPELINE = BINARY.model_copy(update={"name": "retired_toy", "description": "Parcels that arrive late."})


@pytest.fixture
def place(tmp_path: Path) -> tuple[Ledger, SnapshotStore, ReportStore]:
    store = SnapshotStore(str(tmp_path / "data"))
    for partition in PARTITIONS:
        store.write_partition(PIPELINE.name, partition, load(partition))
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), store, ReportStore(tmp_path / "reports")


def registered(
    key: str, *, place: tuple[Ledger, SnapshotStore, ReportStore], server: MlflowServer
) -> VersionRecord:
    ledger, store, reports = place
    plan = plan_training(
        PIPELINE,
        request=TrainingRequest(requested_by="person", actor="ada", candidates=("trees",)),
        reference="toy_models:BINARY",
        store=store,
        ledger=ledger,
        tracking_uri=server.uri,
        operation_key=f"{PIPELINE.name}/{key}",
    )
    report = evaluate(
        PIPELINE,
        plan=plan,
        results=[train(job, pipeline=PIPELINE) for job in plan.jobs],
        store=store,
        tracking_uri=server.uri,
        reports=reports,
        report_key=key,
    )
    return register(
        report,
        ledger=ledger,
        tracking_uri=server.uri,
        operation_key=f"{PIPELINE.name}/{key}/register",
        actor="ada",
    )


def carded(
    version: VersionRecord, *, place: tuple[Ledger, SnapshotStore, ReportStore], server: MlflowServer
) -> ModelCard:
    client = tracking_client(server.uri)
    report = read_report(client, version.run_id, digest=version.evidence_digest)
    card = build_card(PIPELINE, version=version, report=report, ledger=place[0], tracking_uri=server.uri)
    write_card(card, client=client, reports=place[2])
    return card


def test_a_version_is_described_traced_and_retired(
    place: tuple[Ledger, SnapshotStore, ReportStore], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    ledger, store, reports = place
    client = tracking_client(mlflow_server.uri)
    first = registered("first", place=place, server=mlflow_server)
    card = carded(first, place=place, server=mlflow_server)

    assert card.gaps == ()
    assert {feature.name for feature in card.features} == {"amount", "colour", "count", "member"}
    assert card.data.fitted_rows
    assert card.training.resources["wall_seconds"] > 0
    assert card.signature_key
    assert client.get_model_version(first.model, "1").description.startswith("Parcels that arrive late.")

    registered("second", place=place, server=mlflow_server)
    retirement = retire(
        PIPELINE.name,
        1,
        pipeline=PIPELINE,
        ledger=ledger,
        tracking_uri=mlflow_server.uri,
        reports=reports,
        archive_path=str(tmp_path / "archive"),
        actor="ada",
        reason="the second is better",
        operation_key="retire",
    )

    checked = check_archive(retirement, record=first, folder=str(tmp_path / "archive"))
    assert checked.manifest.gaps == ()
    assert {"card/card.json", "evidence/report.json", "run/train_result.json"} <= set(checked.manifest.files)
    assert list(search_versions(client, PIPELINE.name)) == [2]
    lineage = lineage_of_version(PIPELINE.name, 1, ledger=ledger, client=client, store=store)
    assert lineage.retirement == retirement
    assert lineage.origin is not None
    assert [one.partition for one in lineage.origin.partitions] == list(PARTITIONS)
    assert carded(first, place=place, server=mlflow_server) == card, "the card of a retired version stays"


def test_a_server_that_is_away_is_said_to_be_so_and_nothing_is_missing_afterwards(
    mlflow_server: MlflowServer,
) -> None:
    client = tracking_client(mlflow_server.uri)

    with mlflow_server.down(), pytest.raises(RegistryUnavailableError):
        find_artifact(client, "0" * 32, "train_job.json")


def test_a_run_or_a_file_that_is_not_there_is_none(mlflow_server: MlflowServer) -> None:
    client = tracking_client(mlflow_server.uri)
    run_id = client.create_run(client.create_experiment("artifacts")).info.run_id
    client.log_text(run_id, "here", "folder/file.txt")

    assert find_artifact(client, run_id, "folder/file.txt") == b"here"
    assert list_artifacts(client, run_id, "folder") == ("folder/file.txt",)
    for missing in ("file.txt", "folder", "folder/other.txt", "nowhere/file.txt"):
        assert find_artifact(client, run_id, missing) is None
    assert find_artifact(client, "0" * 32, "file.txt") is None
