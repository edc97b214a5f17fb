"""What choosing the best of several candidates costs, checked where none of them is better."""

import numpy as np
import pytest

from mlops_core.evaluation.bootstrap import interval
from mlops_core.policies import EvaluationPolicy

ROWS, TRIALS = 200, 1000


def test_one_candidate_was_not_chosen_and_pays_nothing() -> None:
    policy = EvaluationPolicy(resamples=100, confidence=0.9)

    assert policy.for_best_of(1) is policy


@pytest.mark.parametrize(
    ("candidates", "confidence", "resamples"),
    [(2, 0.975, 800), (3, 1 - 0.05 / 3, 1200), (32, 1 - 0.05 / 32, 12_800)],
)
def test_several_share_one_doubt_and_ten_resamples_lie_beyond_each_limit(
    candidates: int, confidence: float, resamples: int
) -> None:
    strict = EvaluationPolicy(resamples=500, confidence=0.95).for_best_of(candidates)

    assert strict.confidence == pytest.approx(confidence, abs=1e-12)
    assert strict.resamples == resamples
    assert strict.resamples * (1 - strict.confidence) / 2 == pytest.approx(10)


def test_more_resamples_than_are_needed_are_kept() -> None:
    assert EvaluationPolicy(resamples=5000).for_best_of(2).resamples == 5000


def test_the_best_of_equals_is_proved_better_no_more_often_than_is_declared() -> None:
    random = np.random.default_rng(0)
    policy, candidates = EvaluationPolicy(), 8
    strict = policy.for_best_of(candidates)
    # Rows that each model has right: all have seven in ten, the champion, which is the last, too.
    right = (random.random((TRIALS, candidates + 1, ROWS)) < 0.7).astype(float)
    chosen = right[:, :-1].mean(axis=2).argmax(axis=1)
    better = right[np.arange(TRIALS), chosen] - right[:, -1]
    drawn = random.multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=strict.resamples) / ROWS
    improvements = (drawn @ better.T).T

    once = [interval(one[: policy.resamples], confidence=policy.confidence)[0] > 0 for one in improvements]
    corrected = [interval(one, confidence=strict.confidence)[0] > 0 for one in improvements]

    nominal = (1 - policy.confidence) / 2
    error = np.sqrt(nominal * (1 - nominal) / TRIALS)
    assert np.mean(once) > nominal + 10 * error
    assert np.mean(corrected) <= nominal + 2 * error
