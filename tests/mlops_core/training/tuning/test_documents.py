"""The best trial is the best by its metric, and failed ones never are."""

import pytest

from mlops_core.training.tuning.documents import Trial, Tuning


def tuning(*scores: float | None, greater_is_better: bool) -> Tuning:
    return Tuning(
        metric="any",
        greater_is_better=greater_is_better,
        trials=tuple(
            Trial(
                number=number,
                parameters={"number": number},
                state="failed" if score is None else "complete",
                score=score,
                seconds=0.5,
                finished_at=0,
            )
            for number, score in enumerate(scores, start=1)
        ),
    )


@pytest.mark.parametrize(("greater_is_better", "best"), [(True, 3), (False, 2)])
def test_the_best_trial_is_the_first_of_the_best_scores(greater_is_better: bool, best: int) -> None:
    found = tuning(None, 0.1, 0.9, 0.9, 0.1, greater_is_better=greater_is_better)

    assert found.best is not None
    assert found.best.number == best
    summary = found.summary()
    assert (summary.trial, summary.trials, summary.failed, summary.seconds) == (best, 5, 1, 2.5)


def test_without_a_complete_trial_there_is_no_best_and_no_summary() -> None:
    found = tuning(None, None, greater_is_better=True)

    assert found.best is None
    with pytest.raises(ValueError, match="no trial is complete"):
        found.summary()
