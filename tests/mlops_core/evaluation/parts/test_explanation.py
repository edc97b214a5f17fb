import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from depth_examples import examined, outcome_of
from evaluation_examples import BINARY, MULTICLASS, REGRESSION
from examination_examples import planted
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.parts import explanation
from mlops_core.evaluation.parts.explanation import examples
from mlops_core.evaluation.sections import ExplanationSection
from mlops_core.models.frames import feature_types
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.pipeline import EvaluationPolicy, ExplanationPolicy

ROWS = 60
FRAME = pd.DataFrame(
    {
        "hour": np.linspace(0, 23, ROWS),
        "origin": ["EWR", "JFK", None] * 20,
        "noise": np.arange(ROWS) % 7 * 1.0,
    }
)
POLICY = EvaluationPolicy(explanation=ExplanationPolicy(rows=40, background_rows=20, examples=3))


def weighing(hour: float, origin: float, *, task: Task = BINARY) -> LoadedModel:
    """A model in which the hour and the origin count as much as is said, and the noise nothing."""

    def answer(frame: pd.DataFrame) -> Predictions:
        total = hour * frame["hour"] / 23 + origin * (frame["origin"] == "EWR")
        scores = total.to_numpy(float)
        if task is MULTICLASS:
            scores = np.stack([scores, (1 - scores) / 4, 3 * (1 - scores) / 4], axis=1)
        return Predictions(scores=scores, labels=scores)

    return planted(answer, features=feature_types(FRAME), task=task, classes=("a", "b", "c"))


def examination(
    model: LoadedModel,
    *,
    former: LoadedModel | None = None,
    policy: EvaluationPolicy = POLICY,
    **fields: object,
) -> Examination:
    outcome = of_model(model)
    champion = None if former is None else outcome
    return examined(FRAME, policy, model=model, outcome=outcome, champion=champion, former=former, **fields)


def of_model(model: LoadedModel) -> Outcome:
    scores = model.predict(FRAME).scores
    truth = np.arange(ROWS) % 3 if model.task is MULTICLASS else np.arange(ROWS) % 2
    return outcome_of(model.task, truth, scores)


def measured(model: LoadedModel, **changes: object) -> ExplanationSection:
    return explanation.measure(examination(model, **changes)).document


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_every_example_adds_up_to_its_score(task: Task) -> None:
    model = weighing(0.6, 0.2, task=task)
    outcome = of_model(model)

    section = measured(model)

    assert len(section.examples) == 3
    for example in section.examples:
        scores = outcome.scores[example.row]
        score = scores[outcome.labels[example.row]] if task is MULTICLASS else scores
        assert example.score == pytest.approx(score)
        assert example.base + sum(one.contribution for one in example.contributions) == pytest.approx(score)


def test_importance_is_strongest_first_and_in_shares() -> None:
    section = measured(weighing(0.6, 0.2))

    assert [one.feature for one in section.importance] == ["hour", "origin", "noise"]
    assert sum(one.share for one in section.importance) == pytest.approx(1)
    assert section.importance[2].mean_absolute == pytest.approx(0)
    assert section.rows == 40
    assert section.rank_correlation is None
    assert section.importance[0].champion_share is None


def test_importance_is_the_mean_absolute_value_over_the_sampled_rows() -> None:
    policy = EvaluationPolicy(explanation=ExplanationPolicy(rows=60, background_rows=60, examples=0))

    section = measured(weighing(0.6, 0.2), policy=policy)

    # Of a sum, a feature's SHAP value is what it adds above its mean.
    hour = 0.6 * FRAME["hour"] / 23
    origin = 0.2 * (FRAME["origin"] == "EWR")
    assert section.importance[0].mean_absolute == pytest.approx((hour - hour.mean()).abs().mean())
    assert section.importance[1].mean_absolute == pytest.approx((origin - origin.mean()).abs().mean())


def test_the_champions_shares_and_their_rank_correlation_stand_beside() -> None:
    challenger, former = weighing(0.6, 0.2), weighing(0.02, 0.3)

    section = measured(challenger, former=former)

    alone = {one.feature: one.share for one in measured(former).importance}
    assert {one.feature: one.champion_share for one in section.importance} == pytest.approx(alone)
    # The order hour, origin, noise against origin, hour, noise: 1 - 6 * (1 + 1) / (3 * 8).
    assert section.rank_correlation == pytest.approx(0.5)


def test_a_champion_with_other_features_has_no_share_in_them() -> None:
    former = planted(
        lambda frame: Predictions(scores=frame["hour"].to_numpy() / 23, labels=frame["hour"]),
        features={"hour": "double"},
    )

    section = measured(weighing(0.6, 0.2), former=former)

    assert [one.champion_share for one in section.importance] == [1.0, None, None]
    assert section.rank_correlation is None


def test_a_champion_that_breaks_leaves_the_challengers_explanation() -> None:
    def fail(frame: pd.DataFrame) -> Predictions:
        raise RuntimeError(f"{len(frame)} rows are too many")

    section = measured(weighing(0.6, 0.2), former=planted(fail, features=feature_types(FRAME)))

    assert section.importance[0].champion_share is None
    assert len(section.examples) == 3


def test_a_model_that_says_the_same_of_every_row_uses_no_feature() -> None:
    section = measured(weighing(0.0, 0.0), former=weighing(0.0, 0.0))

    assert {one.share for one in section.importance} == {0.0}
    assert section.rank_correlation is None


def test_an_example_says_which_row_it_is_and_what_its_values_add() -> None:
    section = measured(weighing(0.8, 0.0))

    [certain, unsure, wrong] = section.examples
    assert [one.shown_as for one in section.examples] == ["most certain", "least certain", "most wrong"]
    assert (certain.row, certain.truth, certain.score_of) == (0, "on time", "probability of late = late")
    assert certain.contributions[0].feature == "hour"
    assert certain.contributions[0].value == "0"
    assert certain.contributions[0].contribution < 0
    assert unsure.score == pytest.approx(0.5, abs=0.01)
    assert wrong.truth != ("late" if wrong.score > 0.5 else "on time")


def test_an_example_names_a_missing_value_and_keeps_a_long_one_short() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "text": [None, "y" * 100]})
    model = planted(
        lambda rows: Predictions(scores=rows["x"].to_numpy() / 2, labels=rows["x"]),
        features=feature_types(frame),
    )
    outcome = outcome_of(BINARY, [0, 1], [0.5, 1.0])

    section = explanation.measure(examined(frame, POLICY, model=model, outcome=outcome)).document

    texts = {one.row: one.contributions[1].value for one in section.examples}
    assert texts == {0: "missing", 1: "y" * 60}


def test_an_example_of_several_classes_explains_the_class_that_is_predicted() -> None:
    model = weighing(0.6, 0.2, task=MULTICLASS)

    section = measured(model)

    outcome = of_model(model)
    for example in section.examples:
        assert example.score_of == f"probability of late = {'abc'[outcome.labels[example.row]]}"


def test_chosen_rows_are_the_extreme_ones_and_never_the_same_twice() -> None:
    outcome = outcome_of(BINARY, [1, 0, 1, 0, 1], [0.99, 0.97, 0.05, 0.52, 0.6])

    chosen = examples(outcome, count=9)

    assert [(one.row, one.shown_as) for one in chosen] == [
        (0, "most certain"),
        (3, "least certain"),
        (1, "most wrong"),
        (2, "most certain"),
        (4, "least certain"),
    ]


def test_a_regression_has_no_certainty() -> None:
    chosen = examples(outcome_of(REGRESSION, [1.0, 5.0, 3.0], [2.0, 5.5, 9.0]), count=3)

    assert [(one.row, one.shown_as) for one in chosen] == [(2, "highest"), (0, "lowest"), (1, "most wrong")]


def test_there_is_a_picture_of_the_importances_and_of_every_example() -> None:
    files = explanation.measure(examination(weighing(0.6, 0.2), former=weighing(0.3, 0.3))).files

    assert sorted(files) == ["example-1.svg", "example-2.svg", "example-3.svg", "importance.svg"]
    for content in files.values():
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  drawn here
    assert b"hour = 0" in files["example-1.svg"]


def test_the_same_seed_explains_the_same() -> None:
    one, other, another = (measured(weighing(0.6, 0.2), seed=seed).model_dump_json() for seed in (0, 0, 1))

    assert one == other
    assert one != another


def test_fewer_rows_than_declared_are_all_explained() -> None:
    policy = EvaluationPolicy(explanation=ExplanationPolicy(rows=500, background_rows=500))

    assert measured(weighing(0.6, 0.2), policy=policy).rows == ROWS


def test_a_part_that_is_not_declared_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"evaluation.explanation is not declared"):
        measured(weighing(0.6, 0.2), policy=EvaluationPolicy())
