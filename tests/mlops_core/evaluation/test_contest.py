"""Who becomes the challenger, and what is set beside it."""

import pytest

from evaluation_examples import RECORD, ROWS_DIGEST, answering, planted_model, score
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.contest import Contestant, best_first, evidence_of
from mlops_core.evaluation.measurement import Attempt, Measurement
from mlops_core.evaluation.sections import Sections
from mlops_core.training.job import TrainResult
from toy_models import BINARY as PIPELINE


def contestant(name: str, value: float | None, *, metric: str = "roc_auc") -> Contestant:
    result = TrainResult(
        candidate=name, run_id=f"run-{name}", model=RECORD, parameters={}, rows=1, fit_seconds=0
    )
    scores = () if value is None else (score(value, metric=metric),)
    measurement = Measurement(attempt=Attempt(rows_digest=ROWS_DIGEST), scores=scores, missing=())
    return Contestant(result, planted_model(answering([0.5])), measurement)


@pytest.mark.parametrize(
    ("metric", "order"),
    [
        ("roc_auc", ["best", "first_equal", "second_equal", "none"]),
        ("log_loss", ["first_equal", "second_equal", "best", "none"]),
    ],
)
def test_the_best_comes_first_equals_as_they_were_and_who_has_no_score_last(
    metric: str, order: list[str]
) -> None:
    values = {"none": None, "first_equal": 0.6, "best": 0.9, "second_equal": 0.6}
    contestants = [contestant(name, value, metric=metric) for name, value in values.items()]

    ranked = best_first(contestants, find_metric(metric))

    assert [one.result.candidate for one in ranked] == order


def test_without_a_champion_the_best_stands_alone() -> None:
    evidence = evidence_of(
        PIPELINE,
        ranked=[contestant("trees", 0.8), contestant("line", 0.7)],
        rival=None,
        holdout_rows=10,
        rows_digest=ROWS_DIGEST,
        sections=Sections(),
    )

    assert evidence.challenger.candidate == "trees"
    assert (evidence.champion, evidence.comparison, evidence.differences) == (None, None, ())
