"""Lineage both ways, from records that the library itself wrote."""

from pathlib import Path

import pytest

from lineage_examples import COMMIT, Records
from mlops_core.errors import DeclarationError
from mlops_core.lineage.documents import PartitionLineage, VersionLineage
from mlops_core.lineage.trace import lineage_of_partition, lineage_of_version
from mlops_core.registry.records import VersionRecord
from registry_examples import Clock


def of_version(records: Records, version: int) -> VersionLineage:
    return lineage_of_version(
        records.model, version, ledger=records.ledger, client=records.client, store=records.store
    )


def of_partition(records: Records, partition: str) -> PartitionLineage:
    return lineage_of_partition(
        records.model, partition, ledger=records.ledger, client=records.client, store=records.store
    )


def two_versions(records: Records) -> list[VersionRecord]:
    return [records.trained(number, training=("2013-01",), holdout=("2013-02",)) for number in (1, 2)]


def test_a_version_leads_to_the_partitions_of_its_snapshot_and_to_its_code(records: Records) -> None:
    published = {key: records.publish(key) for key in ("2013-01", "2013-02")}
    records.trained(1, training=("2013-01",), holdout=("2013-02",))
    records.publish("2013-02", content="other rows")

    origin = of_version(records, 1).origin

    assert origin is not None
    assert origin.snapshot == published["2013-02"].snapshot
    assert [(one.partition, one.use, one.rows, one.digest) for one in origin.partitions] == [
        ("2013-01", "training", 200, published["2013-01"].digest),
        ("2013-02", "holdout", 200, published["2013-02"].digest),
    ]
    assert (origin.candidate, origin.code and origin.code.commit) == ("trees", COMMIT)


def test_a_version_leads_to_when_it_was_in_production_and_deployed(records: Records, clock: Clock) -> None:
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    first, second = two_versions(records)
    began = clock.now
    records.promote(first)
    deployed = clock.forward(minutes=1)
    records.deploy(first)
    ended = clock.forward(days=30)
    records.promote(second)
    undeployed = clock.forward(minutes=1)
    records.deploy(second)

    lineages = [of_version(records, number) for number in (1, 2)]

    assert [[(one.since, one.until) for one in lineage.production] for lineage in lineages] == [
        [(began, ended)],
        [(ended, None)],
    ]
    assert [[(one.since, one.until) for one in lineage.deployments] for lineage in lineages] == [
        [(deployed, undeployed)],
        [(undeployed, None)],
    ]


def test_a_version_leads_to_every_table_it_scored_and_whether_another_replaced_it(records: Records) -> None:
    for key in ("2013-01", "2013-02", "2013-03"):
        records.publish(key)
    first, second = two_versions(records)
    kept = records.score("2013-02", version=first)
    replaced = records.score("2013-03", version=first)
    again = records.score("2013-03", version=second)

    scored = {number: of_version(records, number).predictions for number in (1, 2)}

    assert [(one.partition, one.predictions, one.replaced, one.rows) for one in scored[1]] == [
        ("2013-02", kept.snapshot, False, 200),
        ("2013-03", replaced.snapshot, True, 200),
    ]
    assert [(one.partition, one.predictions, one.replaced) for one in scored[2]] == [
        ("2013-03", again.snapshot, False)
    ]


def test_predictions_of_other_files_under_the_same_number_are_not_a_versions_own(records: Records) -> None:
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    first = records.trained(1, training=("2013-01",), holdout=("2013-02",))
    records.score("2013-02", version=first.model_copy(update={"digest": "of another model"}))

    assert of_version(records, 1).predictions == ()


def test_a_partition_leads_to_the_versions_that_saw_it_and_to_what_it_held_then(records: Records) -> None:
    before = records.publish("2013-01")
    records.publish("2013-02")
    first = records.trained(1, training=("2013-01",), holdout=("2013-02",))
    after = records.publish("2013-01", content="corrected")
    records.publish("2013-03")
    second = records.trained(2, training=("2013-02",), holdout=("2013-01",))
    scored = records.score("2013-01", version=first)

    lineage = of_partition(records, "2013-01")

    assert [(one.digest, one.since, one.until_version) for one in lineage.contents] == [
        (before.digest, before.snapshot, after.snapshot.version),
        (after.digest, after.snapshot, None),
    ]
    assert [(use.version, use.digest, use.run_id) for use in lineage.trained] == [
        (1, before.digest, first.run_id)
    ]
    assert [(use.version, use.digest, use.run_id) for use in lineage.held_out] == [
        (2, after.digest, second.run_id)
    ]
    assert [(one.version, one.predictions) for one in lineage.scored] == [(1, scored.snapshot)]
    assert lineage.gaps == ()


def test_a_partition_that_nothing_saw_has_an_empty_lineage(records: Records) -> None:
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    records.trained(1, training=("2013-01",), holdout=("2013-02",))

    lineage = of_partition(records, "2031-01")

    assert (lineage.contents, lineage.trained, lineage.held_out, lineage.scored) == ((), (), (), ())


def test_what_cannot_be_read_is_named_and_the_rest_is_told(records: Records) -> None:
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    first = records.trained(1, training=("2013-01",), holdout=("2013-02",))
    records.score("2013-02", version=first)
    records.version(2, run_id="0" * 32)
    for file in Path(records.store.table_uri(f"{records.model}/predictions")).glob("partition=*/*.parquet"):
        file.write_bytes(b"damaged")
    (Path(records.store.table_uri(records.model)) / "_delta_log" / f"{1:020}.json").unlink()

    known, unknown = of_version(records, 1), of_version(records, 2)

    assert [(one.partition, one.rows) for one in known.origin.partitions] == [  # type: ignore[union-attr]
        ("2013-01", None),
        ("2013-02", None),
    ]
    assert [gap.partition(" cannot be read")[0] for gap in known.gaps] == [
        "snapshot version 1",
        "predictions of 2013-02",
    ]
    assert unknown.origin is None
    assert unknown.gaps[0].startswith(f"run {'0' * 32} holds no train_job.json")


def test_a_version_or_a_model_that_nothing_knows_is_refused_with_what_is_known(records: Records) -> None:
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    records.trained(1, training=("2013-01",), holdout=("2013-02",))

    with pytest.raises(DeclarationError, match="has no version 7 in the ledger; versions it has: 1"):
        of_version(records, 7)
    with pytest.raises(DeclarationError, match=f"models in the ledger: {records.model}"):
        of_partition(records._replace(model="nobody"), "2013-01")
    with pytest.raises(DeclarationError, match="is no key"):
        of_partition(records, "../x")
