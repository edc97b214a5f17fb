"""A network is tuned as any other candidate; its trials leave no trace among its epochs."""

from collections.abc import Callable

import pytest
from mlflow import MlflowClient

pytest.importorskip("torch")

from mlops_core.search import Choice, Search
from mlops_core.training.context import checkpoint_folder
from mlops_core.training.job import TrainJob
from mlops_core.training.train import train

MakeJob = Callable[..., TrainJob]


def test_a_network_is_tuned_and_the_run_shows_the_epochs_of_its_last_fit_alone(
    make_job: MakeJob, client: MlflowClient
) -> None:
    job = make_job(
        reference="torch_models:BINARY",
        candidate="network",
        parameters={},
        search=Search(parameters={"epochs": Choice((1, 2))}, trials=3, folds=2, metric="log_loss"),
    )

    result = train(job)

    assert result.tuning is not None
    assert result.tuning.failed == 0
    names = set(client.get_run(result.run_id).data.metrics)
    assert {name for name in names if name.startswith("fit_") and name != "fit_seconds"} == set()
    epochs = client.get_metric_history(result.run_id, "epoch_training_loss")
    assert len(epochs) == result.parameters["epochs"]
    assert not checkpoint_folder(job).exists()
