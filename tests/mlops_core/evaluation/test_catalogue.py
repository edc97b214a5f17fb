import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlops_core.errors import DeclarationError, EvaluationError, UnknownMetricError
from mlops_core.evaluation import metrics as _metrics  # noqa: F401  registers the metrics
from mlops_core.evaluation.catalogue import Task, find_metric, metric, metrics_for
from mlops_core.models.loaded import Predictions


def test_an_unknown_metric_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownMetricError, match=r"unknown metric 'auc'; known metrics: accuracy, .*roc_auc"):
        find_metric("auc")


def test_a_metric_is_listed_for_the_tasks_it_judges_alone() -> None:
    names = {task: {metric.name for metric in metrics_for(task)} for task in Task}

    assert names[Task.REGRESSION] == {"mae", "mse", "r2"}
    assert names[Task.BINARY_CLASSIFICATION] == names[Task.MULTICLASS_CLASSIFICATION]
    assert {"roc_auc", "log_loss"} <= names[Task.BINARY_CLASSIFICATION]
    assert not names[Task.REGRESSION] & names[Task.BINARY_CLASSIFICATION]


def test_two_metrics_cannot_have_one_name() -> None:
    with pytest.raises(DeclarationError, match="metric 'roc_auc' is registered already"):

        @metric(Task.REGRESSION, lower=0, upper=1, greater_is_better=True)
        def roc_auc(outcome: object) -> float:
            raise NotImplementedError


def test_a_metric_without_a_task_is_refused() -> None:
    with pytest.raises(DeclarationError, match="judges no task; name at least one of binary_classification"):

        @metric(lower=0, upper=1, greater_is_better=True)
        def judges_nothing(outcome: object) -> float:
            raise NotImplementedError


def test_a_metric_with_an_empty_range_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"has the range \[1, 0\]"):

        @metric(Task.REGRESSION, lower=1, upper=0, greater_is_better=True)
        def lies_nowhere(outcome: object) -> float:
            raise NotImplementedError


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_a_range_holds_no_value_that_is_not_finite_or_lies_outside(value: float) -> None:
    assert not find_metric("roc_auc").holds(value)


def test_an_unbounded_range_holds_no_infinity() -> None:
    assert find_metric("log_loss").holds(1e300)
    assert not find_metric("log_loss").holds(math.inf)


def test_an_improvement_is_positive_when_the_new_model_is_better() -> None:
    assert find_metric("roc_auc").improvement(0.8, over=0.7) == pytest.approx(0.1)
    assert find_metric("log_loss").improvement(0.3, over=0.5) == pytest.approx(0.2)


def test_the_metrics_can_be_named_without_importing_numpy() -> None:
    code = (
        "import sys, mlops_core.evaluation.metrics, mlops_core.pipeline;"
        "print(sorted({'numpy', 'pandas', 'sklearn', 'scipy', 'pyarrow', 'mlflow'} & set(sys.modules)))"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_a_metric_scores_what_a_model_has_predicted_of_some_rows() -> None:
    truth = pd.Series(["no", "yes", "yes", "no"])
    predictions = Predictions(
        scores=np.array([0.1, 0.9, 0.4, 0.2]), labels=np.array(["no", "yes", "no", "no"])
    )
    task = Task.BINARY_CLASSIFICATION

    score = find_metric("accuracy").score(task, truth=truth, predictions=predictions, classes=("no", "yes"))

    assert score == 0.75


def test_a_metric_scores_no_predictions_of_other_rows() -> None:
    predictions = Predictions(scores=np.zeros(3), labels=np.zeros(3))

    with pytest.raises(EvaluationError, match="3 scores and 3 labels for 2 rows"):
        find_metric("mae").score(Task.REGRESSION, truth=pd.Series([1.0, 2.0]), predictions=predictions)
