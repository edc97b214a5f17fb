import dataclasses
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as judged

from evaluation_examples import BINARY, MULTICLASS, REGRESSION, binary_outcome, random_outcome
from mlops_core.errors import EmptySampleError, EvaluationError
from mlops_core.evaluation import bootstrap
from mlops_core.evaluation.bootstrap import WeightedRows, improvements, interval, resample, score_interval
from mlops_core.evaluation.catalogue import Task, find_metric, metrics_for
from mlops_core.evaluation.outcome import Outcome

TASKS = [BINARY, MULTICLASS, REGRESSION]


def averaged(score: Callable[..., float]) -> Callable[..., float]:
    def call(outcome: Outcome, weights: np.ndarray) -> float:
        average = "binary" if outcome.task is BINARY else "macro"
        return score(outcome.truth, outcome.labels, sample_weight=weights, average=average, zero_division=0)

    return call


def ranked(score: Callable[..., float]) -> Callable[..., float]:
    def call(outcome: Outcome, weights: np.ndarray) -> float:
        truth = outcome.truth if outcome.task is BINARY else np.eye(len(outcome.classes))[outcome.truth]
        return score(truth, outcome.scores, sample_weight=weights)

    return call


def of_probabilities(score: Callable[..., float], **options: object) -> Callable[..., float]:
    def call(outcome: Outcome, weights: np.ndarray) -> float:
        labels = range(len(outcome.classes))
        return score(outcome.truth, outcome.scores, sample_weight=weights, labels=labels, **options)

    return call


def of_values(score: Callable[..., float], *, predicted: str = "scores") -> Callable[..., float]:
    return lambda outcome, weights: score(outcome.truth, getattr(outcome, predicted), sample_weight=weights)


SCIKIT_LEARN = {
    "accuracy": of_values(judged.accuracy_score, predicted="labels"),
    "precision": averaged(judged.precision_score),
    "recall": averaged(judged.recall_score),
    "f1": averaged(judged.f1_score),
    "roc_auc": ranked(judged.roc_auc_score),
    "average_precision": ranked(judged.average_precision_score),
    "log_loss": of_probabilities(judged.log_loss),
    "brier_score": of_probabilities(judged.brier_score_loss, scale_by_half=True),
    "mae": of_values(judged.mean_absolute_error),
    "mse": of_values(judged.mean_squared_error),
    "r2": of_values(judged.r2_score),
}
CASES = [(task, name) for task in TASKS for name in SCIKIT_LEARN if task in find_metric(name).tasks]


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_weighted_metric_agrees_with_scikit_learns_sample_weight(task: Task, name: str, ties: bool) -> None:
    outcome = random_outcome(task, ties=ties)
    counts = np.random.default_rng(7).multinomial(300, np.full(300, 1 / 300), size=5).astype(float)
    weights = np.vstack([counts, np.random.default_rng(8).random((3, 300))])

    ours = find_metric(name).weighted(WeightedRows(outcome=outcome, weights=weights))

    theirs = [SCIKIT_LEARN[name](outcome, weight) for weight in weights]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_the_fast_form_of_each_metric_agrees_with_repeating_rows(task: Task) -> None:
    outcome, metrics = random_outcome(task, rows=80), metrics_for(task)
    slow = [dataclasses.replace(metric, weighted=None) for metric in metrics]

    [repeated] = resample([outcome], metrics=slow, resamples=20, seed=3)
    [fast] = resample([outcome], metrics=metrics, resamples=20, seed=3)

    for metric in metrics:
        np.testing.assert_allclose(fast[metric.name], repeated[metric.name], atol=1e-12, err_msg=metric.name)


def test_a_metric_without_a_fast_form_is_resampled_by_repeating_rows() -> None:
    accuracy = dataclasses.replace(
        find_metric("accuracy"), weighted=None, compute=lambda outcome: float(outcome.truth.mean())
    )
    outcome = binary_outcome([1, 0] * 50, [0.5] * 100)

    [values] = resample([outcome], metrics=[accuracy], resamples=200, seed=0)

    assert values["accuracy"].std() == pytest.approx(math.sqrt(0.25 / 100), rel=0.2)


def test_the_same_seed_gives_the_same_values_and_another_seed_others() -> None:
    outcome, metrics = random_outcome(BINARY), metrics_for(BINARY)

    first, again, other = (
        resample([outcome], metrics=metrics, resamples=50, seed=seed)[0] for seed in (1, 1, 2)
    )

    for metric in metrics:
        np.testing.assert_array_equal(first[metric.name], again[metric.name])
    assert not np.array_equal(first["roc_auc"], other["roc_auc"])


def test_the_size_of_a_block_does_not_change_which_rows_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, metrics = random_outcome(BINARY), metrics_for(BINARY)
    [whole] = resample([outcome], metrics=metrics, resamples=30, seed=1)

    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 300 * 8 * 7)
    [blocks] = resample([outcome], metrics=metrics, resamples=30, seed=1)

    for metric in metrics:
        np.testing.assert_allclose(blocks[metric.name], whole[metric.name], rtol=1e-13)


def test_rows_of_all_chunks_are_drawn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_CHUNK_ROWS", 7)

    weights = np.concatenate(list(bootstrap._draw_blocks(20, resamples=20_000, seed=0)))

    # A multinomial of 20 draws over 20 rows: variance 1 - 1/20, and -1/20 between any two rows.
    assert (weights.sum(axis=1) == 20).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(np.cov(weights.T), np.eye(20) - 1 / 20, atol=0.05)


def test_models_see_the_same_resamples() -> None:
    outcome = random_outcome(BINARY)

    one, same = resample([outcome, outcome], metrics=[find_metric("roc_auc")], resamples=40, seed=0)

    np.testing.assert_array_equal(one["roc_auc"], same["roc_auc"])


def test_pairing_makes_the_interval_of_a_small_improvement_narrow() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(2, size=1000)
    former = np.clip(0.5 + 0.2 * (truth - 0.5) + 0.2 * random.normal(size=1000), 0, 1)
    newer = np.clip(former + 0.02 * (truth - 0.5), 0, 1)
    metric = find_metric("brier_score")

    new, old = resample(
        [binary_outcome(truth, newer), binary_outcome(truth, former)],
        metrics=[metric],
        resamples=300,
        seed=0,
    )

    lower, upper = interval(improvements(metric, new=new, over=old), confidence=0.95)
    alone = interval(new["brier_score"], confidence=0.95)
    assert 0 < lower < upper
    assert (upper - lower) < (alone[1] - alone[0]) / 4


def test_an_interval_of_a_mean_is_the_one_that_statistics_teaches() -> None:
    truth = np.random.default_rng(0).random(2000) < 0.3
    outcome = binary_outcome(truth.astype(int), np.zeros(2000))

    [values] = resample([outcome], metrics=[find_metric("accuracy")], resamples=4000, seed=0)

    share = 1 - truth.mean()
    margin = 1.96 * math.sqrt(share * (1 - share) / 2000)
    lower, upper = interval(values["accuracy"], confidence=0.95)
    assert lower == pytest.approx(share - margin, abs=0.1 * margin)
    assert upper == pytest.approx(share + margin, abs=0.1 * margin)


def test_more_confidence_makes_a_wider_interval() -> None:
    values = np.random.default_rng(0).normal(size=2000)

    narrow, wide = interval(values, confidence=0.8), interval(values, confidence=0.99)

    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_an_interval_of_a_metric_that_some_resamples_leave_undefined_is_refused() -> None:
    outcome = binary_outcome([1] + [0] * 20, np.linspace(1, 0, 21))
    [values] = resample([outcome], metrics=[find_metric("roc_auc")], resamples=100, seed=0)

    with pytest.raises(EvaluationError, match=r"undefined in \d+ of 100 bootstrap resamples"):
        interval(values["roc_auc"], confidence=0.95)


def test_the_interval_of_a_calibration_error_is_around_it_and_not_above() -> None:
    metric = find_metric("expected_calibration_error")
    uncorrected = inside = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        scores = generator.uniform(size=200)
        outcome = binary_outcome((generator.uniform(size=200) < scores).astype(int), scores)
        value = metric.compute(outcome)
        replicates = resample([outcome], metrics=[metric], resamples=200, seed=seed)[0][metric.name]
        lower, upper = score_interval(metric, value=value, replicates=replicates, confidence=0.95)
        inside += 0 <= lower <= value <= upper <= 1
        uncorrected += interval(replicates, confidence=0.95)[0] <= value
    assert inside == 40
    assert uncorrected < 40, "resampling alone would have done"


def test_models_scored_on_different_numbers_of_rows_are_not_compared() -> None:
    outcomes = [random_outcome(BINARY, rows=10), random_outcome(BINARY, rows=11)]

    with pytest.raises(EvaluationError, match=r"different numbers of rows \(10, 11\)"):
        resample(outcomes, metrics=metrics_for(BINARY), resamples=10, seed=0)


def test_no_rows_are_refused() -> None:
    with pytest.raises(EmptySampleError, match="a bootstrap of no rows"):
        resample([binary_outcome([], [])], metrics=metrics_for(BINARY), resamples=10, seed=0)


def test_no_models_have_no_values() -> None:
    assert resample([], metrics=metrics_for(BINARY), resamples=10, seed=0) == []


@pytest.mark.parametrize("task", TASKS)
def test_memory_does_not_grow_with_the_number_of_resamples(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, metrics = random_outcome(task, rows=20_000), metrics_for(task)
    block, all_weights = 2**20, 60 * 20_000 * 8
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", block)
    resample([outcome], metrics=metrics, resamples=1, seed=0)

    tracemalloc.start()
    resample([outcome], metrics=metrics, resamples=60, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * block < all_weights


def test_r2_keeps_its_digits_where_the_target_is_far_from_zero() -> None:
    near = random_outcome(REGRESSION)
    far = dataclasses.replace(near, truth=near.truth + 1e7, scores=near.scores + 1e7)
    weights = np.ones((1, near.rows))

    one, other = (
        find_metric("r2").weighted(WeightedRows(outcome=outcome, weights=weights)) for outcome in (near, far)
    )

    assert one == pytest.approx(other, abs=1e-8)
