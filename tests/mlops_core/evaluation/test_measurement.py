"""Planted models: what each answers, and what the evaluation makes of it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from evaluation_examples import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    answering,
    held_out,
    planted_model,
)
from mlops_core.evaluation import catalogue
from mlops_core.evaluation.bootstrap import resample
from mlops_core.evaluation.catalogue import Metric, Task, find_metric, metrics_for
from mlops_core.evaluation.measurement import Measurement, attempt, compare, compare_best, measure
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.pipeline import EvaluationPolicy

POLICY = EvaluationPolicy(resamples=100)
TRUTH = [0, 1] * 100
ROWS = held_out(TRUTH)


def measured(model: LoadedModel, *, task: Task = BINARY) -> Measurement:
    [one] = measure([attempt(model, rows=ROWS, task=task)], task=task, policy=POLICY, seed=0)
    return one


def reason(measurement: Measurement, metric: str = "roc_auc") -> str:
    return next(absent.reason for absent in measurement.missing if absent.metric == metric)


def fail(frame: pd.DataFrame) -> Predictions:
    raise KeyError(f"distance is not in {list(frame)}")


def run_out_of_memory(frame: pd.DataFrame) -> Predictions:
    raise MemoryError(f"cannot allocate {len(frame)} rows")


GOOD = np.where(np.array(TRUTH) == 1, 0.7, 0.4)


def test_a_good_model_has_every_metric_inside_its_interval() -> None:
    one = measured(planted_model(answering(GOOD + np.linspace(-0.25, 0.25, 200))))

    assert {score.metric for score in one.scores} == {metric.name for metric in metrics_for(BINARY)}
    assert one.missing == ()
    assert all(score.lower <= score.value <= score.upper for score in one.scores)


PLANTED: dict[str, tuple[Callable[[pd.DataFrame], Predictions], tuple[object, ...], str]] = {
    "raises an error": (fail, (0, 1), "it cannot score the rows: KeyError: \"distance is not in ['x']\""),
    "runs out of memory": (run_out_of_memory, (0, 1), "MemoryError: cannot allocate 200 rows"),
    "answers NaN once": (answering([np.nan, *GOOD[1:]]), (0, 1), "1 of 200 predictions are NaN or infinite"),
    "answers infinity": (answering([np.inf] * 200), (0, 1), "200 of 200 predictions are NaN or infinite"),
    "answers margins and no probabilities": (
        answering(GOOD * 10 - 5),
        (0, 1),
        "a classifier must answer probabilities",
    ),
    "answers too few rows": (answering(GOOD[:-1]), (0, 1), "answered 199 scores"),
    "answers no rows": (answering([]), (0, 1), "answered 0 scores"),
    "answers a table": (answering([[0.5, 0.5]] * 200, TRUTH), (0, 1), "scores have the shape (200, 2)"),
    "answers a class of its own": (answering(GOOD, [2] * 200), (0, 1), "the model predicts 2"),
    "was trained on other classes": (
        answering(GOOD, ["late"] * 200),
        ("late", "on time"),
        "the target holds 0, 1",
    ),
    "knows one class": (answering(GOOD, [0] * 200), (0,), "the model knows 1 classes"),
}


@pytest.mark.parametrize(("answer", "classes", "words"), PLANTED.values(), ids=PLANTED.keys())
def test_a_model_that_cannot_be_scored_has_no_score_and_says_why(
    answer: Callable[[pd.DataFrame], Predictions], classes: tuple[object, ...], words: str
) -> None:
    one = measured(planted_model(answer, classes=classes))

    assert one.scores == ()
    assert len(one.missing) == len(metrics_for(BINARY))
    assert words in reason(one)


def test_a_model_of_another_task_has_no_score() -> None:
    one = measured(planted_model(answering(GOOD), task=REGRESSION, classes=()))

    assert "it does regression, and the pipeline asks for binary_classification" in reason(one)


def test_a_model_that_changes_the_rows_it_is_given_is_found_out() -> None:
    rows = held_out(TRUTH, x=np.linspace(0, 1, 200))
    before = rows.digest()

    def tamper(frame: pd.DataFrame) -> Predictions:
        frame.loc[0, "x"] = 9.0
        return answering(GOOD)(frame)

    tried = attempt(planted_model(tamper), rows=rows, task=BINARY)

    assert tried.rows_digest != before
    assert rows.digest() == before


def test_a_model_that_cannot_be_scored_does_not_keep_the_others_from_it() -> None:
    attempts = [attempt(planted_model(answer), rows=ROWS, task=BINARY) for answer in (fail, answering(GOOD))]

    bad, good = measure(attempts, task=BINARY, policy=POLICY, seed=0)

    assert bad.value(find_metric("roc_auc")) is None
    assert good.value(find_metric("roc_auc")) == 1.0


def test_a_single_class_holdout_leaves_the_area_undefined_and_keeps_the_accuracy() -> None:
    rows = held_out([0] * 50)

    [one] = measure(
        [attempt(planted_model(answering([0.1] * 50)), rows=rows, task=BINARY)],
        task=BINARY,
        policy=POLICY,
        seed=0,
    )

    assert one.value(find_metric("accuracy")) == 1.0
    assert "none of the 50 held-out rows is of class 1" in reason(one)


def test_too_few_positives_leave_the_area_without_an_interval_and_so_without_a_score() -> None:
    rows = held_out([1] + [0] * 49)

    [one] = measure(
        [attempt(planted_model(answering(np.linspace(1, 0, 50))), rows=rows, task=BINARY)],
        task=BINARY,
        policy=POLICY,
        seed=0,
    )

    assert "of 100 bootstrap resamples" in reason(one)


@pytest.mark.parametrize(
    ("value", "words"),
    [(float("nan"), "its value is nan"), (7.0, "its value 7 lies outside the range [0, 1]")],
)
def test_a_metric_whose_value_is_impossible_gives_no_score(
    value: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Metric(
        name="accuracy",
        tasks=frozenset({BINARY}),
        lower=0,
        upper=1,
        greater_is_better=True,
        compute=lambda outcome: value,  # noqa: ARG005  it is broken
    )
    monkeypatch.setitem(catalogue._METRICS, "accuracy", broken)

    assert words in reason(measured(planted_model(answering(GOOD))), "accuracy")


def test_a_multiclass_model_is_measured() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(["a", "b", "c"], 150)
    scores = np.full((150, 3), 0.2) + 0.4 * (truth[:, np.newaxis] == np.array(["a", "b", "c"]))
    model = planted_model(answering(scores, truth), task=MULTICLASS, classes=("a", "b", "c"))

    [one] = measure(
        [attempt(model, rows=held_out(truth), task=MULTICLASS)], task=MULTICLASS, policy=POLICY, seed=0
    )

    assert one.missing == ()
    assert one.value(find_metric("f1")) == 1.0
    assert one.value(find_metric("log_loss")) == pytest.approx(-np.log(0.6))


def test_a_regression_model_is_measured() -> None:
    truth = np.linspace(0, 10, 60)
    model = planted_model(answering(truth + 1, truth + 1), task=REGRESSION, classes=())

    [one] = measure(
        [attempt(model, rows=held_out(truth), task=REGRESSION)], task=REGRESSION, policy=POLICY, seed=0
    )

    assert one.missing == ()
    assert one.value(find_metric("mae")) == pytest.approx(1)


def test_differences_are_signed_so_that_more_is_better() -> None:
    better, worse = measure(
        [
            attempt(planted_model(answering(scores)), rows=ROWS, task=BINARY)
            for scores in (GOOD, 1 - GOOD + np.linspace(-0.2, 0.2, 200))
        ],
        task=BINARY,
        policy=POLICY,
        seed=0,
    )

    differences = {one.metric: one for one in compare(better, worse, confidence=0.95)}

    assert set(differences) == {metric.name for metric in metrics_for(BINARY)}
    for name in ("roc_auc", "log_loss", "brier_score", "accuracy"):
        assert 0 < differences[name].lower <= differences[name].improvement <= differences[name].upper


def test_there_is_no_difference_of_a_metric_that_one_model_lacks() -> None:
    good, bad = measure(
        [attempt(planted_model(answer), rows=ROWS, task=BINARY) for answer in (answering(GOOD), fail)],
        task=BINARY,
        policy=POLICY,
        seed=0,
    )

    assert compare(good, bad, confidence=0.95) == ()
    assert compare(bad, good, confidence=0.95) == ()


def three() -> list[Measurement]:
    """Two candidates and a champion, none of them much better."""
    random = np.random.default_rng(1)
    answers = [np.clip(GOOD + random.normal(0, 0.3, 200), 0, 1) for _ in range(3)]
    attempts = [attempt(planted_model(answering(scores)), rows=ROWS, task=BINARY) for scores in answers]
    return measure(attempts, task=BINARY, policy=POLICY, seed=0)


def test_a_candidate_that_was_alone_is_compared_as_declared() -> None:
    best, _, champion = three()

    comparison, differences = compare_best(best, champion, candidates=1, task=BINARY, policy=POLICY, seed=0)

    assert (comparison.confidence, comparison.resamples) == (0.95, 100)
    assert not comparison.is_corrected
    assert differences == compare(best, champion, confidence=0.95)


def test_the_best_of_two_is_compared_at_half_the_doubt_on_more_resamples() -> None:
    best, _, champion = three()

    comparison, differences = compare_best(best, champion, candidates=2, task=BINARY, policy=POLICY, seed=0)

    assert (comparison.confidence, comparison.resamples) == (pytest.approx(0.975), 800)
    metric = find_metric("accuracy")
    outcomes = [one.attempt.outcome for one in (best, champion)]
    new, over = resample(outcomes, metrics=[metric], resamples=800, seed=0)
    expected = np.quantile(new["accuracy"] - over["accuracy"], [0.0125, 0.9875])
    found = next(one for one in differences if one.metric == "accuracy")
    assert (found.lower, found.upper) == pytest.approx(tuple(expected))
    plain = next(one for one in compare(best, champion, confidence=0.95) if one.metric == "accuracy")
    assert found.improvement == plain.improvement


def test_a_champion_without_an_answer_leaves_no_difference_from_the_best() -> None:
    best = three()[0]
    [champion] = measure(
        [attempt(planted_model(fail), rows=ROWS, task=BINARY)], task=BINARY, policy=POLICY, seed=0
    )

    _, differences = compare_best(best, champion, candidates=2, task=BINARY, policy=POLICY, seed=0)

    assert differences == ()
