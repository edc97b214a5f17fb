from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_core.data.labels import known_labels
from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.monitoring.performance import judge_performance
from mlops_core.monitoring.report import FindingKind, PerformanceReport, PerformanceVerdict
from mlops_core.pipeline import AbsoluteGate, MonitorPolicy, Pipeline


def judged(
    examples: Any, rows: pa.Table, *, pipeline: Pipeline | None = None, **score: Any
) -> PerformanceReport:
    """Judge a window by its own target against a reference of the given score."""
    declared = examples.pipeline() if pipeline is None else pipeline
    profile = examples.profile().model_copy(
        update={"metrics": examples.evaluation(**score).challenger.scores}
    )
    return judge_performance(
        declared,
        predictions=examples.predictions(rows),
        labels=known_labels(declared, partition="2013-07", rows=rows),
        profile=profile,
    )


def without_labels(rows: pa.Table, *, every: int) -> pa.Table:
    """Forget the label of one row in ``every``."""
    mask = np.arange(rows.num_rows) % every == 0
    column = pa.array(rows["positive"].to_numpy(zero_copy_only=False), mask=mask)
    return rows.set_column(rows.schema.get_field_index("positive"), "positive", column)


def test_a_model_that_does_as_well_as_its_reference_has_no_loss(examples: Any) -> None:
    report = judged(examples, examples.rows(), value=0.86)
    assert report.verdict is PerformanceVerdict.NO_LOSS
    assert report.value is not None
    assert report.lower is not None
    assert report.upper is not None
    assert report.lower <= report.value <= report.upper
    assert (report.scored_rows, report.labelled_rows, report.coverage) == (400, 400, 1)


def test_a_loss_needs_the_whole_interval_below_the_margin(examples: Any) -> None:
    rows = examples.rows(noise=3.0)
    upper = judged(examples, rows).upper
    assert upper is not None
    lost = judged(examples, rows, value=upper + 0.021)
    kept = judged(examples, rows, value=upper + 0.019)
    assert lost.verdict is PerformanceVerdict.LOSS
    assert [finding.kind for finding in lost.findings] == [FindingKind.PERFORMANCE_LOSS]
    assert "all of the interval" in lost.reason
    assert kept.verdict is PerformanceVerdict.NO_LOSS


def test_a_metric_of_which_less_is_better_is_lost_upwards(examples: Any) -> None:
    pipeline = examples.pipeline(gates=(AbsoluteGate(metric="log_loss", maximum=1.0),))
    rows = examples.rows(noise=3.0)
    interval = {"metric": "log_loss", "lower": 0.0, "upper": 1.0}
    lower = judged(examples, rows, pipeline=pipeline, value=0.5, **interval).lower
    assert lower is not None
    lost, kept = (
        judged(examples, rows, pipeline=pipeline, value=lower - distance, **interval)
        for distance in (0.021, 0.019)
    )
    assert (lost.verdict, kept.verdict) == (PerformanceVerdict.LOSS, PerformanceVerdict.NO_LOSS)


def test_too_few_labels_are_insufficient_data(examples: Any) -> None:
    report = judged(examples, without_labels(examples.rows(), every=2))
    assert report.verdict is PerformanceVerdict.INSUFFICIENT_DATA
    assert report.reason == "200 of 400 scored rows have a label (50%); 80% are needed"
    assert report.value is None


def test_rows_without_a_label_are_left_out(examples: Any) -> None:
    report = judged(examples, without_labels(examples.rows(), every=10))
    assert report.labelled_rows == 360
    assert report.coverage == 0.9
    assert report.verdict is not PerformanceVerdict.INSUFFICIENT_DATA


def test_too_few_rows_are_insufficient_data(examples: Any) -> None:
    report = judged(examples, examples.rows(99))
    assert report.reason == "99 rows have a label; 100 are needed"


def test_no_rows_are_insufficient_data(examples: Any) -> None:
    report = judged(examples, examples.rows(5).slice(0, 0))
    assert report.verdict is PerformanceVerdict.INSUFFICIENT_DATA
    assert report.coverage == 0


def test_a_metric_that_the_reference_lacks_is_insufficient_data(examples: Any) -> None:
    pipeline = examples.pipeline(gates=(AbsoluteGate(metric="f1", minimum=0.1),))
    report = judged(examples, examples.rows(), pipeline=pipeline)
    assert report.verdict is PerformanceVerdict.INSUFFICIENT_DATA
    assert "has no f1" in report.reason


def test_labels_of_one_class_leave_the_metric_undefined(examples: Any) -> None:
    rows = examples.rows().set_column(3, "positive", pa.array([True] * 400))
    report = judged(examples, rows)
    assert report.verdict is PerformanceVerdict.INSUFFICIENT_DATA
    assert report.reason.startswith("roc_auc: ")


def test_labels_of_an_unknown_class_leave_the_metric_undefined(examples: Any) -> None:
    rows = examples.rows().set_column(3, "positive", pa.array(["perhaps"] * 400))
    assert judged(examples, rows).verdict is PerformanceVerdict.INSUFFICIENT_DATA


def test_a_target_that_is_gone_is_no_label(examples: Any) -> None:
    report = judged(examples, examples.rows().drop_columns(["positive"]))
    assert report.labelled_rows == 0
    assert report.verdict is PerformanceVerdict.INSUFFICIENT_DATA


def test_labels_of_the_pipelines_function_are_joined_by_key(examples: Any) -> None:
    rows = examples.rows()
    arrived = rows.select(["id", "positive"]).take(np.arange(399, -1, -1))
    examples.known_labels["2013-07"] = arrived
    pipeline = examples.pipeline(labels=examples.labels)
    by_function = judge_performance(
        pipeline,
        predictions=examples.predictions(rows),
        labels=known_labels(pipeline, partition="2013-07", rows=rows.drop_columns(["positive"])),
        profile=examples.profile(),
    )
    assert by_function == judged(examples, rows)


def test_keys_with_labels_that_differ_count_as_unlabelled(examples: Any) -> None:
    twice = {"id": ["a", "a", "b", "b", "c", None], "positive": [True, False, True, True, None, True]}
    examples.known_labels["2013-07"] = pd.DataFrame(twice)
    pipeline = examples.pipeline(labels=examples.labels)
    labels = known_labels(pipeline, partition="2013-07", rows=examples.rows())
    assert labels.values.to_dict() == {"b": True}
    assert labels.ambiguous == 1


@pytest.mark.parametrize("returned", [pd.DataFrame({"id": ["a"]}), {"id": ["a"]}, None])
def test_labels_without_their_columns_name_what_is_needed(examples: Any, returned: Any) -> None:
    examples.known_labels["2013-07"] = returned
    with pytest.raises(DeclarationError, match="it must return 'id' and 'positive'"):
        known_labels(examples.pipeline(labels=examples.labels), partition="2013-07", rows=examples.rows())


def test_without_a_key_rows_are_joined_by_their_number(examples: Any) -> None:
    rows = examples.rows()
    pipeline = examples.pipeline(key=None, features=("amount", "colour"))
    predictions = examples.predictions(rows)
    numbered = predictions.set_column(0, "key", pa.array(range(400)))
    report = judge_performance(
        pipeline,
        predictions=numbered,
        labels=known_labels(pipeline, partition="2013-07", rows=rows),
        profile=examples.profile(),
    )
    assert report == judged(examples, rows)


def test_a_regression_is_judged_by_its_values(examples: Any) -> None:
    pipeline = examples.pipeline(
        task=Task.REGRESSION, target="amount", gates=(AbsoluteGate(metric="mae", maximum=1.0),)
    )
    rows = examples.rows()
    off_by_half = np.asarray(rows["amount"]) + 0.5
    profile = examples.profile().model_copy(
        update={"classes": (), "metrics": examples.evaluation(metric="mae", value=0.4).challenger.scores}
    )
    report = judge_performance(
        pipeline,
        predictions=pa.table({"key": rows["id"], "score": off_by_half, "label": off_by_half}),
        labels=known_labels(pipeline, partition="2013-07", rows=rows),
        profile=profile,
    )
    assert report.value == pytest.approx(0.5)
    assert report.verdict is PerformanceVerdict.LOSS


def test_the_margin_is_the_policys(examples: Any) -> None:
    rows = examples.rows(noise=3.0)
    patient = examples.pipeline(monitor=MonitorPolicy(performance_margin=0.9))
    assert judged(examples, rows, value=0.99).verdict is PerformanceVerdict.LOSS
    assert judged(examples, rows, pipeline=patient, value=0.99).verdict is PerformanceVerdict.NO_LOSS
