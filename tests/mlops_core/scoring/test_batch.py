"""Batch predictions of a published partition."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_core.data.snapshots import PublishedPartition, SnapshotStore
from mlops_core.errors import (
    CorruptedDataError,
    DeclarationError,
    EvaluationError,
    NotInProductionError,
)
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.stored import LoadedModel, Predictions
from mlops_core.pipeline import Pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.scoring.batch import ScoredPartition, predictions_table, score_partition

pytestmark = pytest.mark.usefixtures("models")

TRACKING_URI = "http://127.0.0.1:5000"


@pytest.fixture
def published(store: SnapshotStore, examples: Any) -> PublishedPartition:
    return store.write_partition("flights", "2013-07", examples.rows())


@pytest.fixture
def score(
    store: SnapshotStore, published: PublishedPartition, examples: Any
) -> Callable[..., ScoredPartition]:
    """Score the published partition with version 1, unless the test says otherwise."""

    produced = examples.version()

    def call(
        pipeline: Pipeline | None = None, *, version: VersionRecord | None = produced
    ) -> ScoredPartition:
        return score_partition(
            pipeline or examples.pipeline(),
            published=published,
            version=version,
            store=store,
            tracking_uri=TRACKING_URI,
        )

    return call


def read(store: SnapshotStore, scored: ScoredPartition) -> pa.Table:
    return store.read(scored.predictions.snapshot, partitions=[scored.partition])


def test_every_row_gets_the_models_score_and_label_beside_its_key(
    score: Callable[..., ScoredPartition], store: SnapshotStore, models: Any, examples: Any
) -> None:
    scored = score()

    table = read(store, scored)
    rows = examples.rows()
    expected = models.by_version[1].predict(rows.to_pandas())
    assert table.column_names == ["key", "score", "label", "model_version", "model_digest"]
    assert table["key"].to_pylist() == rows["flight"].to_pylist()
    np.testing.assert_array_equal(table["score"].to_numpy(), expected.scores)
    np.testing.assert_array_equal(table["label"].to_numpy(), expected.labels)
    assert set(table["model_version"].to_pylist()) == {1}
    assert set(table["model_digest"].to_pylist()) == {f"{1:064x}"}


def test_the_result_names_what_was_scored_by_what_and_where_it_is(
    score: Callable[..., ScoredPartition],
    published: PublishedPartition,
    store: SnapshotStore,
    examples: Any,
) -> None:
    scored = score()

    assert scored.source == published
    assert scored.version == examples.version()
    assert scored.rows == 30
    assert scored.predictions.snapshot.table_uri == store.table_uri("flights/predictions")
    assert ScoredPartition.model_validate(scored.model_dump(mode="json")) == scored


def test_the_target_is_never_read(
    score: Callable[..., ScoredPartition],
    store: SnapshotStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    read_columns = store.read

    def spy(*arguments: Any, **options: Any) -> pa.Table:
        asked.append(options["columns"])
        return read_columns(*arguments, **options)

    monkeypatch.setattr(store, "read", spy)

    score()

    assert asked == [["distance", "delay", "flight"]]


def test_a_model_that_was_fitted_on_the_target_is_refused(
    score: Callable[..., ScoredPartition], models: Any
) -> None:
    leaking = replace(models.by_version[1], features={"distance": "double", "late": "double"})
    models.by_version[1] = leaking

    with pytest.raises(DeclarationError, match="was fitted on the target 'late'"):
        score()


def test_scoring_again_adopts_the_same_predictions(score: Callable[..., ScoredPartition]) -> None:
    first = score()
    again = score()

    assert not first.predictions.adopted
    assert again.predictions.adopted
    assert again.predictions.snapshot == first.predictions.snapshot


def test_scoring_with_another_version_replaces_the_partition_and_keeps_the_former_readable(
    score: Callable[..., ScoredPartition], store: SnapshotStore, models: Any, examples: Any
) -> None:
    models.by_version[2] = examples.model(steepness=100.0)
    first = score()

    second = score(version=examples.version(2))

    assert set(read(store, second)["model_version"].to_pylist()) == {2}
    assert set(read(store, first)["model_version"].to_pylist()) == {1}
    assert store.current(predictions_table(examples.pipeline())) == second.predictions.snapshot


def test_scoring_one_partition_leaves_the_others(
    score: Callable[..., ScoredPartition], store: SnapshotStore, examples: Any
) -> None:
    score()
    august = store.write_partition("flights", "2013-08", examples.rows(10))

    scored = score_partition(
        examples.pipeline(),
        published=august,
        version=examples.version(),
        store=store,
        tracking_uri=TRACKING_URI,
    )

    entries = store.partitions(scored.predictions.snapshot)
    assert [(entry.partition, entry.rows) for entry in entries] == [("2013-07", 30), ("2013-08", 10)]


def test_the_partition_is_scored_as_it_was_published_though_it_was_replaced_since(
    score: Callable[..., ScoredPartition], store: SnapshotStore, examples: Any
) -> None:
    store.write_partition("flights", "2013-07", examples.rows(5))

    assert score().rows == 30


def test_without_a_key_rows_are_named_by_their_number(
    score: Callable[..., ScoredPartition], store: SnapshotStore, examples: Any
) -> None:
    scored = score(examples.pipeline(key=None))

    assert read(store, scored)["key"].to_pylist() == list(range(30))


def test_a_key_that_is_also_a_feature_is_read_once(
    score: Callable[..., ScoredPartition], store: SnapshotStore, examples: Any
) -> None:
    scored = score(examples.pipeline(key="distance"))

    assert read(store, scored)["key"].equals(examples.rows()["distance"])


def test_a_multiclass_model_gives_a_score_column_a_class(
    score: Callable[..., ScoredPartition], store: SnapshotStore, models: Any, examples: Any
) -> None:
    task = Task.MULTICLASS_CLASSIFICATION
    models.by_version[1] = examples.model(task)

    table = read(store, score(examples.pipeline(task)))

    scores = [name for name in table.column_names if name.startswith("score")]
    assert scores == ["score_early", "score_late", "score_on time"]
    np.testing.assert_allclose(sum(table[name].to_numpy() for name in scores), 1.0)
    assert set(table["label"].to_pylist()) <= {"early", "late", "on time"}


def test_a_regression_gives_its_value_as_score_and_label(
    score: Callable[..., ScoredPartition], store: SnapshotStore, models: Any, examples: Any
) -> None:
    models.by_version[1] = examples.model(Task.REGRESSION)

    table = read(store, score(examples.pipeline(Task.REGRESSION)))

    np.testing.assert_allclose(table["score"].to_numpy(), examples.rows()["distance"].to_numpy())
    assert table["label"].equals(table["score"])


def test_without_a_version_in_production_nothing_is_scored(
    score: Callable[..., ScoredPartition], store: SnapshotStore
) -> None:
    with pytest.raises(NotInProductionError, match="'flights' has no version in production"):
        score(version=None)

    assert store.find_current("flights/predictions") is None


def test_a_score_that_is_not_finite_is_never_published(
    score: Callable[..., ScoredPartition],
    store: SnapshotStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = np.full(30, 0.5)
    scores[[4, 7]] = np.nan, np.inf
    answer = Predictions(scores=scores, labels=np.zeros(30))
    monkeypatch.setattr(LoadedModel, "predict", lambda *_: answer)

    with pytest.raises(EvaluationError, match=r"2 of 30 rows of 2013-07; the first is row 4"):
        score()

    assert store.find_current("flights/predictions") is None


def test_a_damaged_partition_is_never_scored(
    score: Callable[..., ScoredPartition], store: SnapshotStore
) -> None:
    (file,) = Path(store.table_uri("flights")).rglob("*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(CorruptedDataError):
        score()
