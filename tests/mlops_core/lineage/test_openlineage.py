"""How OpenLineage names what the pack reads and makes."""

import pytest

from mlops_core.data.documents import PublishedPartition, SnapshotIdentity, StagedPartition
from mlops_core.lineage.openlineage import (
    dataset_name,
    model_dataset,
    model_namespace,
    partition_dataset,
    snapshot_dataset,
    staged_dataset,
    version_dataset,
)
from mlops_core.models.record import ModelRecord
from registry_examples import version_record

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/data/tables/toy/snapshot", ("file", "/data/tables/toy/snapshot")),
        ("file:///data/tables/toy", ("file", "/data/tables/toy")),
        ("s3://bucket/tables/toy/", ("s3://bucket", "tables/toy")),
        ("s3://key:secret@bucket/tables/toy", ("s3://bucket", "tables/toy")),
    ],
)
def test_a_dataset_is_named_by_its_store_and_its_place_and_never_by_a_password(
    address: str, expected: tuple[str, str]
) -> None:
    assert dataset_name(address) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:5000", "mlflow://127.0.0.1:5000"),
        ("https://ada:secret@mlflow.example.org/", "mlflow://mlflow.example.org"),
    ],
)
def test_models_are_named_by_their_server_without_who_signs_in(uri: str, expected: str) -> None:
    assert model_namespace(uri) == expected


def test_all_versions_of_a_table_are_one_dataset() -> None:
    first, second = (
        snapshot_dataset(SnapshotIdentity(table_uri="/tables/toy", version=number, digest=DIGEST))
        for number in (0, 1)
    )

    assert (first.namespace, first.name) == (second.namespace, second.name)
    assert (first.version, second.version) == ("0", "1")


def test_a_publication_names_its_partition_and_rows() -> None:
    published = PublishedPartition(
        pipeline="toy",
        partition="2013-01",
        snapshot=SnapshotIdentity(table_uri="/tables/toy", version=3, digest=DIGEST),
        rows=200,
        digest="cd" * 32,
        adopted=False,
    )

    dataset = partition_dataset(published)

    assert (dataset.version, dataset.rows, dataset.storage) == ("3", 200, "delta")
    assert dataset.details == {"digest": DIGEST, "partition": "2013-01", "partition_digest": "cd" * 32}


def test_what_is_staged_is_named_by_its_folder() -> None:
    staged = StagedPartition(
        pipeline="toy", partition="2013-01", uri="/staging/toy/2013-01/x.parquet", rows=2, digest=DIGEST
    )

    dataset = staged_dataset(staged)

    assert (dataset.name, dataset.version) == ("/staging/toy/2013-01", DIGEST)


def test_a_stored_model_becomes_a_version_of_a_registered_one() -> None:
    stored = ModelRecord(run_id="run-1", model_id="m-1", uri="models:/m-1", digest=DIGEST)
    record = version_record(3, digest=DIGEST)

    made = model_dataset(stored, tracking_uri="http://localhost:5000", candidate="trees")
    registered = version_dataset(record, tracking_uri="http://localhost:5000")

    assert (made.namespace, made.name, made.version) == ("mlflow://localhost:5000", "m-1", DIGEST)
    assert made.details["candidate"] == "trees"
    assert (registered.name, registered.version) == (record.model, "3")
    assert registered.details["evidence_digest"] == "evidence-3"
