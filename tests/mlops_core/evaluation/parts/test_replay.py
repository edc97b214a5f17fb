import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.metrics as judged

from examination_examples import Answer, by_column, examination, pipeline, planted, publish
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, DataRejectedError, EvaluationError, SnapshotMissingError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.parts.replay import measure
from mlops_core.evaluation.sections import ReplaySection
from mlops_core.models.loaded import Predictions
from mlops_core.pipeline import EvaluationPolicy, Pipeline, ReplayPolicy

ROWS = 200
MONTHS = ("2013-01", "2013-02", "2013-03", "2013-04")
FEATURES = {"signal": "double", "other": "double"}


def rows(month: str) -> dict[str, Any]:
    random = np.random.default_rng(MONTHS.index(month))
    signal = random.normal(size=ROWS)
    return {
        "id": [f"{month}/{number}" for number in range(ROWS)],
        "signal": signal,
        "other": random.normal(size=ROWS),
        "late": signal + random.normal(size=ROWS) > 0,
        "size": np.select([signal > 1, signal > 0], ["large", "middle"], "small"),
        "value": signal + random.normal(size=ROWS),
    }


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    store = SnapshotStore(str(tmp_path))
    publish(store, {month: rows(month) for month in MONTHS})
    return store


def declared(task: Task = Task.BINARY_CLASSIFICATION, *, windows: int = 3, **fields: Any) -> Pipeline:
    target = {Task.REGRESSION: "value", Task.MULTICLASS_CLASSIFICATION: "size"}.get(task, "late")
    policy = EvaluationPolicy(replay=ReplayPolicy(windows=windows, examples=3), resamples=100)
    chosen = {"key": "id", "target": target, "features": tuple(FEATURES), **fields}
    return pipeline(policy, task=task, **chosen)


def serve(
    store: SnapshotStore, *months: str, answer: Answer | None = None, version: int = 3, **changes: Any
) -> None:
    """Log a model's answers as batch scoring does."""
    for month in months:
        frame = pd.DataFrame(rows(month))
        said = (answer or by_column("signal"))(frame)
        columns = {
            "key": frame["id"],
            "score": said.scores,
            "label": said.labels,
            "model_version": np.full(len(frame), version),
            "model_digest": ["d"] * len(frame),
            **changes,
        }
        kept = {name: values for name, values in columns.items() if values is not None}
        publish(store, {month: kept}, name="flights/predictions")


def measured(
    store: SnapshotStore, asked: Pipeline | None = None, *, answer: Answer | None = None, **model: Any
) -> ReplaySection:
    asked = asked or declared()
    challenger = planted(answer or by_column("signal"), features=FEATURES, task=asked.task, **model)
    document = measure(examination(asked, challenger, store=store)).document
    assert isinstance(document, ReplaySection)
    return document


def test_where_nothing_was_ever_served_the_section_is_empty(store: SnapshotStore) -> None:
    assert measured(store) == ReplaySection()


def test_the_same_model_disagrees_nowhere(store: SnapshotStore) -> None:
    serve(store, "2013-01", "2013-02")

    section = measured(store)

    assert section.disagreement == 0.0
    assert section.changes == ()
    assert [window.partition for window in section.windows] == ["2013-01", "2013-02"]
    for window in section.windows:
        assert (window.version, window.rows, window.disagreeing_rows, window.mean_change) == (3, ROWS, 0, 0.0)
        assert {change.improvement for change in window.differences} == {0.0}


def test_the_last_windows_alone_are_replayed_and_those_trained_on_are_marked(store: SnapshotStore) -> None:
    serve(store, *MONTHS)

    section = measured(store, declared(windows=2))

    # The last month is held out of training.
    assert [(window.partition, window.trained_on) for window in section.windows] == [
        ("2013-03", True),
        ("2013-04", False),
    ]


def test_another_models_numbers_are_those_of_the_reference_library(store: SnapshotStore) -> None:
    serve(store, "2013-02", answer=by_column("other"))

    section = measured(store)

    frame = pd.DataFrame(rows("2013-02"))
    served, ours = by_column("other")(frame), by_column("signal")(frame)
    [window] = section.windows
    assert window.disagreeing_rows == (served.labels != ours.labels).sum()
    assert section.disagreement == pytest.approx((served.labels != ours.labels).mean())
    assert window.mean_change == pytest.approx(np.abs(served.scores - ours.scores).mean())
    assert window.labelled_rows == ROWS
    changes = {change.metric: change for change in window.differences}
    expected = judged.roc_auc_score(frame["late"], ours.scores) - judged.roc_auc_score(
        frame["late"], served.scores
    )
    assert changes["roc_auc"].improvement == pytest.approx(expected)
    assert 0 < changes["roc_auc"].lower < expected < changes["roc_auc"].upper
    assert changes["log_loss"].improvement == pytest.approx(
        judged.log_loss(frame["late"], served.scores) - judged.log_loss(frame["late"], ours.scores)
    )


def test_the_rows_that_change_most_come_first_over_all_windows(store: SnapshotStore) -> None:
    serve(store, "2013-01", "2013-02", answer=by_column("other"))

    section = measured(store)

    every = []
    for month in ("2013-01", "2013-02"):
        frame = pd.DataFrame(rows(month))
        served, ours = by_column("other")(frame).scores, by_column("signal")(frame).scores
        every += zip(np.abs(ours - served), frame["id"], served, ours, strict=True)
    greatest = sorted(every, key=lambda one: -one[0])[:3]
    found = [(change.key, change.served, change.challenger) for change in section.changes]
    assert found == [(key, served, ours) for _, key, served, ours in greatest]


def test_labels_of_the_pipelines_function_are_joined_by_key(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("labels_of_ones_own")
    module.load = lambda partition: pd.DataFrame(rows(partition))[["id", "late"]].iloc[:50:-1]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    asked = declared().model_copy(update={"labels": "labels_of_ones_own:load"})
    serve(store, "2013-02", answer=by_column("other"))

    [window] = measured(store, asked).windows

    frame = pd.DataFrame(rows("2013-02")).iloc[51:]
    served, ours = by_column("other")(frame), by_column("signal")(frame)
    changes = {change.metric: change.improvement for change in window.differences}
    assert window.labelled_rows == ROWS - 51
    assert changes["accuracy"] == pytest.approx(
        (ours.labels == frame["late"]).mean() - (served.labels == frame["late"]).mean()
    )


def test_without_labels_there_is_no_difference_and_still_a_disagreement(store: SnapshotStore) -> None:
    serve(store, "2013-02", answer=by_column("other"))
    unlabelled = {**rows("2013-02"), "late": pa.nulls(ROWS, pa.bool_())}
    publish(store, {"2013-02": unlabelled})

    section = measured(store)

    assert section.disagreement is not None
    assert section.disagreement > 0
    assert (section.windows[0].labelled_rows, section.windows[0].differences) == (0, ())


def values(by: float) -> Answer:
    def answer(frame: pd.DataFrame) -> Predictions:
        scores = 5 * frame["signal"].to_numpy() + by
        return Predictions(scores=scores, labels=scores)

    return answer


def test_a_regression_disagrees_where_it_moves_by_a_tenth_of_the_served_deviation(
    store: SnapshotStore,
) -> None:
    deviation = 5 * np.std(rows("2013-02")["signal"])
    serve(store, "2013-02", answer=values(0))

    below = measured(store, declared(Task.REGRESSION), answer=values(0.09 * deviation))
    above = measured(store, declared(Task.REGRESSION), answer=values(0.11 * deviation))

    assert below.disagreement == 0.0
    assert above.disagreement == 1.0
    assert above.windows[0].mean_change == pytest.approx(0.11 * deviation)
    changes = {change.metric: change.improvement for change in above.windows[0].differences}
    frame = pd.DataFrame(rows("2013-02"))
    assert changes["mae"] == pytest.approx(
        (frame["value"] - 5 * frame["signal"]).abs().mean()
        - (frame["value"] - 5 * frame["signal"] - 0.11 * deviation).abs().mean()
    )


def by_class(classes: tuple[str, ...], column: str) -> Answer:
    def answer(frame: pd.DataFrame) -> Predictions:
        centres = np.linspace(-1, 1, len(classes))
        logits = -((frame[column].to_numpy()[:, None] - centres) ** 2)
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return Predictions(scores=scores, labels=np.array(classes)[scores.argmax(axis=1)])

    return answer


def serve_classes(store: SnapshotStore, month: str, *, classes: tuple[str, ...], column: str) -> Predictions:
    said = by_class(classes, column)(pd.DataFrame(rows(month)))
    by_name = {f"score_{name}": said.scores[:, place] for place, name in enumerate(classes)}
    serve(store, month, answer=by_class(classes, column), score=None, **by_name)
    return said


def test_a_multiclass_row_changes_as_its_most_changed_probability(store: SnapshotStore) -> None:
    classes = ("small", "middle", "large")
    served = serve_classes(store, "2013-02", classes=classes, column="other")

    section = measured(
        store,
        declared(Task.MULTICLASS_CLASSIFICATION),
        answer=by_class(classes, "signal"),
        classes=classes,
    )

    ours = by_class(classes, "signal")(pd.DataFrame(rows("2013-02")))
    [window] = section.windows
    assert section.disagreement == pytest.approx((ours.labels != served.labels).mean())
    assert window.mean_change == pytest.approx(np.abs(ours.scores - served.scores).max(axis=1).mean())
    assert {change.metric for change in window.differences} >= {"accuracy", "log_loss", "roc_auc"}
    change = section.changes[0]
    place = rows("2013-02")["id"].index(change.key)
    moved = np.abs(ours.scores[place] - served.scores[place]).argmax()
    assert (change.served, change.challenger) == (served.scores[place, moved], ours.scores[place, moved])


def test_classes_are_matched_by_name_and_one_that_was_not_served_had_no_probability(
    store: SnapshotStore,
) -> None:
    serve_classes(store, "2013-02", classes=("small", "large"), column="signal")
    classes = ("large", "middle", "small")

    section = measured(
        store,
        declared(Task.MULTICLASS_CLASSIFICATION),
        answer=by_class(classes[::-1], "signal"),
        classes=classes[::-1],
    )

    frame = pd.DataFrame(rows("2013-02"))
    old = by_class(("small", "large"), "signal")(frame).scores
    new = by_class(classes[::-1], "signal")(frame).scores
    expected = np.abs(np.stack([new[:, 0] - old[:, 0], new[:, 1], new[:, 2] - old[:, 1]], axis=1))
    assert section.windows[0].mean_change == pytest.approx(expected.max(axis=1).mean())


def test_rows_that_were_published_again_are_an_error(store: SnapshotStore) -> None:
    serve(store, "2013-02")
    shorter = {name: column[:-1] for name, column in rows("2013-02").items()}
    publish(store, {"2013-02": shorter})

    with pytest.raises(DataRejectedError, match="has 199 rows now, and predictions of 200: it was published"):
        measured(store)


def test_other_keys_than_were_scored_are_an_error(store: SnapshotStore) -> None:
    serve(store, "2013-02", key=[f"other-{number}" for number in range(ROWS)])

    with pytest.raises(DataRejectedError, match="other keys than its predictions in 200 of 200 rows"):
        measured(store)


def test_predictions_whose_rows_are_gone_are_an_error(store: SnapshotStore) -> None:
    publish(store, {"2012-12": {"key": ["a"], "score": [0.5]}}, name="flights/predictions")

    with pytest.raises(SnapshotMissingError, match="has no partition '2012-12'"):
        measured(store)


@pytest.mark.parametrize("name", ["flights", "flights/predictions"])
def test_damaged_data_are_an_error(store: SnapshotStore, name: str) -> None:
    serve(store, "2013-02")
    challenger = planted(by_column("signal"), features=FEATURES)
    examined = examination(declared(), challenger, store=store)
    for file in Path(store.table_uri(name)).rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    with pytest.raises(CorruptedDataError, match="has digest"):
        measure(examined)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"score": None}, "have no scores for binary_classification"),
        ({"label": None}, "lack label; score it again"),
        ({"score": np.full(ROWS, np.nan)}, "hold scores that are not finite"),
        ({"model_version": np.arange(ROWS)}, "are of the versions"),
    ],
)
def test_predictions_of_another_form_are_an_error(
    store: SnapshotStore, changes: dict[str, Any], reason: str
) -> None:
    serve(store, "2013-02", **changes)

    with pytest.raises(DataRejectedError, match=reason):
        measured(store)


def test_a_challenger_that_gives_no_finite_score_is_an_error(store: SnapshotStore) -> None:
    serve(store, "2013-01")
    january = rows("2013-01")["signal"][0]

    def answer(frame: pd.DataFrame) -> Predictions:
        said = by_column("signal")(frame)
        scores = np.where(frame["signal"] == january, np.nan, said.scores)
        return Predictions(scores=scores, labels=said.labels)

    with pytest.raises(EvaluationError, match="no finite score to 1 of 200 rows of 2013-01"):
        measured(store, answer=answer)
