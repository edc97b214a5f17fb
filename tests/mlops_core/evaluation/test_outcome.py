import numpy as np
import pandas as pd
import pytest

from evaluation_examples import BINARY, MULTICLASS, REGRESSION
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.outcome import Outcome
from mlops_core.models.loaded import Predictions


def predictions(scores: object, labels: object) -> Predictions:
    return Predictions(scores=np.asarray(scores), labels=np.asarray(labels))


def test_truth_and_labels_are_encoded_in_the_order_of_the_models_classes() -> None:
    outcome = Outcome.of(
        BINARY,
        truth=pd.Series(["on time", "late", "late"]),
        predictions=predictions([0.1, 0.9, 0.2], ["on time", "late", "on time"]),
        classes=("on time", "late"),
    )

    assert outcome.truth.tolist() == [0, 1, 1]
    assert outcome.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("truth", "classes"),
    [
        (pd.Series([0.0, 1.0]), (0, 1)),
        (pd.Series([False, True]), (False, True)),
        (pd.Series([0, 1]), (False, True)),
        (pd.Series(["0", "1"], dtype="string"), ("0", "1")),
    ],
)
def test_a_target_of_another_numeric_type_is_still_the_same_class(
    truth: pd.Series, classes: tuple[object, ...]
) -> None:
    outcome = Outcome.of(BINARY, truth=truth, predictions=predictions([0.2, 0.8], classes), classes=classes)

    assert outcome.truth.tolist() == [0, 1]
    assert outcome.labels.tolist() == [0, 1]


def test_a_class_that_a_multiclass_model_never_saw_has_probability_zero() -> None:
    outcome = Outcome.of(
        MULTICLASS,
        truth=pd.Series(["a", "new", "b"]),
        predictions=predictions([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]], ["a", "a", "b"]),
        classes=("a", "b"),
    )

    assert outcome.classes == ("a", "b", "new")
    assert outcome.truth.tolist() == [0, 2, 1]
    assert outcome.scores[:, 2].tolist() == [0, 0, 0]


def test_rows_can_be_taken_and_repeated() -> None:
    outcome = Outcome.of(
        REGRESSION, truth=pd.Series([1, 2, 3]), predictions=predictions([1, 2, 4], [1, 2, 4])
    )

    taken = outcome.take(np.array([2, 2, 0]))

    assert taken.truth.tolist() == [3, 3, 1]
    assert taken.scores.tolist() == [4, 4, 1]


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.9], [0, 1], "answered 2 scores and 2 labels for 3 rows"),
        ([0.1, 0.9, 0.9], [0, 1], "answered 3 scores and 2 labels for 3 rows"),
        ([[0.9, 0.1]] * 3, [0, 0, 0], r"scores have the shape \(3, 2\); binary_classification needs \(3,\)"),
        ([0.1, np.nan, 0.9], [0, 0, 1], "1 of 3 predictions are NaN or infinite"),
        ([0.1, np.inf, 0.9], [0, 0, 1], "1 of 3 predictions are NaN or infinite"),
        ([-0.5, 0.5, 1.5], [0, 1, 1], r"2 of 3 scores lie outside \[0, 1\], for example -0.5"),
        ([0.1, 0.5, 0.9], [0, 7, 1], "the model predicts 7; the model's classes are 0, 1"),
    ],
)
def test_predictions_that_no_binary_metric_can_use_are_refused(
    scores: object, labels: object, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        Outcome.of(
            BINARY, truth=pd.Series([0, 1, 1]), predictions=predictions(scores, labels), classes=(0, 1)
        )


def test_a_binary_target_with_a_third_value_is_refused() -> None:
    with pytest.raises(EvaluationError, match="the target holds 2; the model's classes are 0, 1"):
        Outcome.of(
            BINARY,
            truth=pd.Series([0, 1, 2]),
            predictions=predictions([0.1, 0.9, 0.9], [0, 1, 1]),
            classes=(0, 1),
        )


def test_a_binary_model_of_one_class_is_refused() -> None:
    with pytest.raises(EvaluationError, match="the model knows 1 classes; binary classification needs 2"):
        Outcome.of(BINARY, truth=pd.Series([0, 0]), predictions=predictions([0.0, 0.0], [0, 0]), classes=(0,))


def test_a_multiclass_model_of_one_class_is_refused() -> None:
    with pytest.raises(EvaluationError, match="multiclass classification needs 2 or more"):
        Outcome.of(MULTICLASS, truth=pd.Series([0]), predictions=predictions([[1.0]], [0]), classes=(0,))


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"a row's probabilities miss the sum of 1 by 0\.5"):
        Outcome.of(
            MULTICLASS,
            truth=pd.Series(["a", "b"]),
            predictions=predictions([[0.5, 0.5], [0.5, 0.0]], ["a", "a"]),
            classes=("a", "b"),
        )


def test_a_target_that_is_infinite_is_refused_for_regression() -> None:
    with pytest.raises(EvaluationError, match="1 of 2 target values are NaN or infinite"):
        Outcome.of(
            REGRESSION, truth=pd.Series([1.0, np.inf]), predictions=predictions([1.0, 1.0], [1.0, 1.0])
        )


def test_a_target_of_text_is_refused_for_regression() -> None:
    with pytest.raises(EvaluationError, match="regression needs numbers"):
        Outcome.of(REGRESSION, truth=pd.Series(["a"]), predictions=predictions([1.0], [1.0]))
