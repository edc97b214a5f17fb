from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as judged

from examination_examples import Answer, by_column, examination, pipeline, planted, publish
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import metrics_for
from mlops_core.evaluation.examination import Examination
from mlops_core.evaluation.parts.robustness import measure
from mlops_core.evaluation.sections import RobustnessSection
from mlops_core.models.loaded import Predictions
from mlops_core.pipeline import EvaluationPolicy, Perturbation, RobustnessPolicy

ROWS = 400
FEATURES = {"signal": "double", "other": "double", "colour": "string"}


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    random = np.random.default_rng(0)
    store = SnapshotStore(str(tmp_path))
    signal = random.normal(size=ROWS)
    rows = {
        "signal": signal,
        "other": random.normal(size=ROWS),
        "colour": random.choice(["red", "green"], ROWS),
        "late": signal + random.normal(size=ROWS) > 0,
    }
    publish(store, {"2013-01": rows, "2013-02": rows})
    return store


def examined(
    store: SnapshotStore, *perturbations: Perturbation, answer: Answer | None = None, **policy: Any
) -> Examination:
    declared = pipeline(EvaluationPolicy(robustness=RobustnessPolicy(perturbations=perturbations, **policy)))
    model = planted(answer or by_column("signal"), features=FEATURES)
    return examination(declared, model, store=store)


def measured(store: SnapshotStore, *perturbations: Perturbation, **changes: Any) -> RobustnessSection:
    document = measure(examined(store, *perturbations, **changes)).document
    assert isinstance(document, RobustnessSection)
    return document


def test_every_metric_is_scored_again_and_a_loss_is_positive(store: SnapshotStore) -> None:
    shift = Perturbation(kind="shift", amount=1.0)

    section = measured(store, shift)

    before = examined(store, shift)
    features, truth = before.rows.features, before.rows.truth
    moved = 1 / (1 + np.exp(-(features["signal"] + features["signal"].std(ddof=0)).to_numpy()))
    as_was = before.challenger.outcome.scores
    values = {score.metric: (score.value, score.loss) for score in section.scores}
    assert section.rows == ROWS
    assert set(values) == {metric.name for metric in metrics_for(before.pipeline.task)}
    accuracy = judged.accuracy_score(truth, moved >= 0.5)
    assert values["accuracy"] == pytest.approx(
        (accuracy, judged.accuracy_score(truth, as_was >= 0.5) - accuracy)
    )
    loss = judged.log_loss(truth, moved)
    assert values["log_loss"] == pytest.approx((loss, loss - judged.log_loss(truth, as_was)))
    assert values["accuracy"][1] > 0
    assert values["log_loss"][1] > 0
    assert values["roc_auc"][1] == pytest.approx(0.0)


def test_the_column_that_matters_is_the_worst_one_to_lose(store: SnapshotStore) -> None:
    section = measured(store, Perturbation(kind="absent"))

    areas = [(score.perturbation, score.value) for score in section.scores if score.metric == "roc_auc"]
    assert areas[0] == ("signal absent", 0.5)
    assert len(areas) == 3


def test_of_many_columns_each_metric_keeps_those_that_cost_it_most(store: SnapshotStore) -> None:
    wide = {f"x{number}": np.random.default_rng(number).normal(size=ROWS) for number in range(6)}
    publish(store, {"2013-03": {**wide, "late": wide["x0"] > 0}, "2013-04": {**wide, "late": wide["x0"] > 0}})

    def answer(frame: pd.DataFrame) -> Predictions:
        total = sum(frame[name].fillna(0.0).to_numpy() / (number + 1) for number, name in enumerate(wide))
        scores = 1 / (1 + np.exp(-total))
        return Predictions(scores=scores, labels=scores >= 0.5)

    declared = pipeline(
        EvaluationPolicy(robustness=RobustnessPolicy(perturbations=(Perturbation(kind="absent"),)))
    )
    model = planted(answer, features=dict.fromkeys(wide, "double"))
    section = measure(examination(declared, model, store=store)).document

    areas = [score for score in section.scores if score.metric == "roc_auc"]
    assert areas[0].perturbation == "x0 absent"
    assert [score.loss for score in areas] == sorted((score.loss for score in areas), reverse=True)
    assert len(areas) == 3


def test_at_most_so_many_rows_are_scored(store: SnapshotStore) -> None:
    assert measured(store, Perturbation(kind="shift"), rows=150).rows == 150


def test_the_same_seed_gives_the_same_section(store: SnapshotStore) -> None:
    perturbations = (Perturbation(kind="noise"), Perturbation(kind="missing"), Perturbation(kind="unseen"))

    assert measured(store, *perturbations, rows=150) == measured(store, *perturbations, rows=150)


def refusing_gaps(frame: pd.DataFrame) -> Predictions:
    if frame["signal"].isna().any():
        raise ValueError("Input X contains NaN")
    return by_column("signal")(frame)


def test_a_model_that_cannot_take_a_change_has_no_score_there_and_says_why(store: SnapshotStore) -> None:
    section = measured(store, Perturbation(kind="shift"), Perturbation(kind="missing"), answer=refusing_gaps)

    assert {score.perturbation for score in section.scores} == {"shift by 0.1 standard deviations"}
    reasons = {missing.metric: missing.reason for missing in section.missing}
    assert reasons["roc_auc under 0.1 of the values missing"] == (
        "it cannot score the rows: ValueError: Input X contains NaN"
    )


def test_a_score_that_is_not_finite_on_changed_rows_is_missing(store: SnapshotStore) -> None:
    def answer(frame: pd.DataFrame) -> Predictions:
        scores = (1 / (1 + np.exp(-frame["signal"]))).to_numpy()
        return Predictions(scores=scores, labels=scores >= 0.5)

    section = measured(store, Perturbation(kind="missing"), answer=answer)

    assert section.scores == ()
    assert all("are NaN or infinite" in missing.reason for missing in section.missing)


def test_an_unknown_column_is_an_error(store: SnapshotStore) -> None:
    with pytest.raises(DeclarationError, match="speed is no feature"):
        measured(store, Perturbation(kind="noise", columns=("speed",)))
