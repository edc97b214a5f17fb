"""Epochs are told in a line and on the run's page, once each, and never at the cost of the fit."""

from pathlib import Path
from unittest.mock import create_autospec

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from mlops_core.errors import RegistryUnavailableError
from mlops_core.training.context import TrainingContext
from mlops_core.training.torch import progress
from mlops_core.training.torch.progress import TRAINING_LOSS, Epoch, MetricsReporter


def epoch(number: int, *, validation_loss: float | None = 0.25) -> Epoch:
    return Epoch(
        number=number,
        training_loss=0.5 / number,
        validation_loss=validation_loss,
        rows=3000,
        seconds=1.5,
        finished_at=1000.0 + number,
    )


@pytest.fixture
def client() -> MlflowClient:
    made: MlflowClient = create_autospec(MlflowClient, instance=True)
    made.get_metric_history.return_value = []  # type: ignore[attr-defined]
    return made


@pytest.fixture
def reporter(client: MlflowClient, tmp_path: Path) -> MetricsReporter:
    return MetricsReporter(TrainingContext(run_id="r", client=client, checkpoints=tmp_path))


def sent(client: MlflowClient) -> list[list[tuple[str, float, int, int]]]:
    calls = client.log_batch.call_args_list  # type: ignore[attr-defined]
    assert {call.args for call in calls} <= {("r",)}
    return [
        [(metric.key, metric.value, metric.timestamp, metric.step) for metric in call.kwargs["metrics"]]
        for call in calls
    ]


def test_an_epoch_is_one_line() -> None:
    assert epoch(2).line(epochs=9, best=2) == (
        "epoch 2/9: training loss 0.25000, validation loss 0.25000 (best), 1.5 s, 2,000 rows/s"
    )
    assert "validation loss 0.25000 (best: epoch 1)" in epoch(2).line(epochs=9, best=1)
    assert "validation" not in epoch(2, validation_loss=None).line(epochs=9, best=0)
    assert epoch(1).model_copy(update={"seconds": 0.0}).line(epochs=1, best=1).endswith(" 0 rows/s")


def test_an_epoch_is_three_metrics_at_its_own_time(reporter: MetricsReporter, client: MlflowClient) -> None:
    reporter.send([epoch(1), epoch(2, validation_loss=None)])

    assert sent(client) == [
        [
            ("epoch_seconds", 1.5, 1_001_000, 1),
            ("epoch_training_loss", 0.5, 1_001_000, 1),
            ("epoch_validation_loss", 0.25, 1_001_000, 1),
            ("epoch_seconds", 1.5, 1_002_000, 2),
            ("epoch_training_loss", 0.25, 1_002_000, 2),
        ]
    ]


def test_what_is_there_is_not_sent_again(reporter: MetricsReporter, client: MlflowClient) -> None:
    client.get_metric_history.return_value = [Metric(TRAINING_LOSS, 0.5, 0, 1)]  # type: ignore[attr-defined]

    reporter.send([epoch(1), epoch(2)])
    reporter.send([epoch(1), epoch(2), epoch(3)])

    assert [[step for _, _, _, step in call] for call in sent(client)] == [[2, 2, 2], [3, 3, 3]]
    client.get_metric_history.assert_called_once_with("r", TRAINING_LOSS)  # type: ignore[attr-defined]


def test_a_second_fit_of_the_job_has_names_of_its_own(client: MlflowClient, tmp_path: Path) -> None:
    # given
    first = [Metric(TRAINING_LOSS, 0.5, 0, 1), Metric(TRAINING_LOSS, 0.5, 0, 2)]
    client.get_metric_history.side_effect = lambda _, name: first if name == TRAINING_LOSS else []  # type: ignore[attr-defined]
    context = TrainingContext(run_id="r", client=client, checkpoints=tmp_path)

    # when
    MetricsReporter(context).send([epoch(1), epoch(2)])
    MetricsReporter(context).send([epoch(1)])

    # then
    assert sent(client) == [
        [
            ("fit_2_epoch_seconds", 1.5, 1_001_000, 1),
            ("fit_2_epoch_training_loss", 0.5, 1_001_000, 1),
            ("fit_2_epoch_validation_loss", 0.25, 1_001_000, 1),
        ]
    ]


def test_many_are_sent_in_several_calls(reporter: MetricsReporter, client: MlflowClient) -> None:
    reporter.send([epoch(number) for number in range(1, 501)])

    assert [len(call) for call in sent(client)] == [900, 600]


def test_a_server_that_is_away_is_left_alone_for_a_minute_but_not_at_the_end(
    reporter: MetricsReporter, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    client.get_metric_history.side_effect = RegistryUnavailableError("away")  # type: ignore[attr-defined]

    counts = []
    for moment, last in [(100.0, False), (159.0, False), (159.0, True), (219.5, False)]:
        now[0] = moment
        reporter.send([epoch(1)], last=last)
        counts.append(client.get_metric_history.call_count)  # type: ignore[attr-defined]

    assert counts == [1, 1, 2, 3]


def test_without_a_run_nothing_is_sent(tmp_path: Path) -> None:
    for context in (None, TrainingContext(run_id="", checkpoints=tmp_path)):
        MetricsReporter(context).send([epoch(1)], last=True)
