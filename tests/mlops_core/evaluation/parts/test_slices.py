import numpy as np
import pytest

from depth_examples import outcome_of, planted_examination
from evaluation_examples import BINARY, MULTICLASS, REGRESSION, random_outcome
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task, metrics_for
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.parts import slices
from mlops_core.evaluation.sections import SliceEvaluation, SliceSection
from mlops_core.pipeline import EvaluationPolicy, SlicePolicy

ROWS = 600
ORIGIN = np.array(["EWR"] * 300 + ["JFK"] * 250 + ["LGA"] * 20 + [None] * 30, dtype=object)


def policy(*columns: str, weak: int = 0, minimum_rows: int = 25, **changes: object) -> EvaluationPolicy:
    declared = SlicePolicy(columns=columns, weak_slices=weak, minimum_rows=minimum_rows)
    return EvaluationPolicy(slices=declared, **changes)


def outcomes(task: Task = BINARY, *, seed: int = 0) -> Outcome:
    random = random_outcome(task, rows=ROWS, seed=seed)
    if task is MULTICLASS:
        scores = random.scores[:, :3] / random.scores[:, :3].sum(axis=1, keepdims=True)
        return outcome_of(task, random.truth % 3, scores)
    return outcome_of(task, random.truth, random.scores)


def measured(declared: EvaluationPolicy, outcome: Outcome, **changes: object) -> SliceSection:
    columns = {"origin": ORIGIN, "x": np.arange(ROWS) % 7}
    return slices.measure(planted_examination(columns, declared, outcome, **changes)).document


def named(section: SliceSection, name: str) -> SliceEvaluation:
    [found] = [one for one in section.slices if one.name == name]
    return found


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_a_slice_has_the_scores_of_its_rows_alone(task: Task) -> None:
    outcome, former = outcomes(task), outcomes(task, seed=9)

    section = measured(policy("origin"), outcome, champion=former)

    jfk, rows = named(section, "origin = JFK"), np.arange(300, 550)
    for metric in metrics_for(task):
        [score] = [score for score in jfk.scores if score.metric == metric.name]
        [theirs] = [score for score in jfk.champion_scores if score.metric == metric.name]
        assert score.value == metric.compute(outcome.take(rows))
        assert theirs.value == metric.compute(former.take(rows))
        assert score.lower < score.upper
    assert (jfk.rows, jfk.found, jfk.columns) == (250, False, ("origin",))


def test_every_value_of_enough_rows_is_a_slice_however_many_there_are() -> None:
    carriers = np.repeat([f"c{number:02}" for number in range(60)], 25)
    outcome = random_outcome(BINARY, rows=len(carriers), seed=0)
    columns = {"carrier": carriers.astype(object)}

    section = slices.measure(planted_examination(columns, policy("carrier"), outcome)).document

    assert {one.name for one in section.slices} == {f"carrier = c{number:02}" for number in range(60)}
    assert all(one.scores for one in section.slices)


def test_a_small_slice_is_counted_and_not_scored_and_a_gap_is_a_slice() -> None:
    section = measured(policy("origin"), outcomes())

    lga, gap = named(section, "origin = LGA"), named(section, "origin = (missing)")
    assert (lga.rows, lga.scores, lga.missing, lga.champion_scores) == (20, (), (), ())
    assert gap.rows == 30
    assert gap.scores
    assert section.slices[-1] == lga
    assert section.minimum_rows == 25


def test_slices_come_column_by_column_and_the_worst_by_the_primary_metric_first() -> None:
    section = measured(policy("x", "origin"), outcomes())

    assert [one.columns for one in section.slices] == [("x",)] * 7 + [("origin",)] * 4
    values = [one.scores for one in section.slices[:7]]
    areas = [score.value for scores in values for score in scores if score.metric == "roc_auc"]
    assert len(areas) == 7
    assert areas == sorted(areas)


def test_a_slice_of_one_class_lacks_the_area_and_says_why() -> None:
    outcome = outcome_of(BINARY, (ORIGIN == "EWR").astype(int), np.linspace(0, 1, ROWS))

    jfk = named(measured(policy("origin"), outcome), "origin = JFK")

    [absent] = [missing for missing in jfk.missing if missing.metric == "roc_auc"]
    assert "none of the 250 held-out rows is of class late" in absent.reason
    assert "accuracy" in {score.metric for score in jfk.scores}


def test_a_planted_weak_slice_is_found_and_scored_on_the_other_half() -> None:
    random = np.random.default_rng(0)
    rows = 4000
    truth, x, y = random.integers(2, size=rows), random.integers(4, size=rows), random.integers(4, size=rows)
    certainty = np.where((x == 2) & (y == 3), 0.1, 0.9)
    outcome = outcome_of(BINARY, truth, np.where(truth == 1, certainty, 1 - certainty))
    examination = planted_examination({"x": x, "y": y}, policy(weak=5, minimum_rows=50), outcome)

    section = slices.measure(examination).document

    weak = section.slices[0]
    assert (weak.name, weak.columns, weak.found) == ("x = 2 and y = 3", ("x", "y"), True)
    assert 50 <= weak.rows <= 200
    assert weak.excess_loss == pytest.approx(np.log(0.9 / 0.1))
    assert {score.value for score in weak.scores if score.metric == "accuracy"} == {0.0}
    assert section.searched_rows == 2000


def test_no_search_leaves_no_found_slice() -> None:
    section = measured(policy(weak=0), outcomes())

    assert (section.slices, section.searched_rows) == ((), 0)


def test_resamples_are_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(policy("origin"), outcomes()).resamples == 200
    monkeypatch.setattr(slices, "_MOST_DRAWN_ROWS", 0)
    assert measured(policy("origin"), outcomes()).resamples == 100


def test_the_same_seed_measures_the_same() -> None:
    one, other, another = (
        measured(policy("origin", weak=3), outcomes(), seed=seed).model_dump_json() for seed in (0, 0, 1)
    )

    assert one == other
    assert one != another


def test_the_champion_is_scored_under_the_same_resamples() -> None:
    same = outcomes()

    ewr = named(measured(policy("origin"), same, champion=same), "origin = EWR")

    assert ewr.champion_scores == ewr.scores


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"evaluation.slices.columns: the held-out rows lack 'carrier'"):
        measured(policy("carrier"), outcomes())


def test_a_part_that_is_not_declared_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"evaluation.slices is not declared"):
        measured(EvaluationPolicy(), outcomes())
