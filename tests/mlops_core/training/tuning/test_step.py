"""A train job looks for its parameters on the training rows, and says what it found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import tuning_models
from mlops_core.data.documents import PartitionEntry
from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.training.context import TrainingContext, checkpoint_folder
from mlops_core.training.job import TrainJob
from mlops_core.training.rows import LabelledRows
from mlops_core.training.train import train
from mlops_core.training.tuning.documents import CrossValidation, Tuning
from mlops_core.training.tuning.step import choose_parameters
from trained_models import load_trained

MakeJob = Callable[..., TrainJob]


def read(client: MlflowClient, run_id: str, name: str, folder: Path) -> str:
    return Path(client.download_artifacts(run_id, name, str(folder))).read_text()


def test_the_model_is_fitted_with_the_best_parameters_on_all_training_rows(
    job: MakeJob, fits: list[list[float]]
) -> None:
    asked = job("searched")

    result = train(asked)

    assert result.tuning is not None
    assert result.parameters == {"kind": "plain", **result.tuning.parameters}
    assert len(fits[-1]) == result.rows == 16
    model = load_trained(result, asked)
    predicted = model.predict(tuning_models.load("2013-05").to_pandas()).scores
    assert set(predicted) == {result.tuning.parameters["value"]}
    assert result.training_metrics["mae"] == pytest.approx(result.tuning.score)


def test_the_run_has_every_trial_their_scores_and_the_chosen_parameters(
    job: MakeJob, client: MlflowClient, tmp_path: Path
) -> None:
    result = train(job("searched"))

    tuning = Tuning.model_validate_json(read(client, result.run_id, "tuning.json", tmp_path))
    assert tuning.summary() == result.tuning
    assert len(tuning.trials) == 6
    series = {m.step: m.value for m in client.get_metric_history(result.run_id, "tuning_score")}
    assert series == {trial.number: trial.score for trial in tuning.trials if trial.score is not None}
    assert result.tuning is not None
    parameters = client.get_run(result.run_id).data.params
    assert json.loads(parameters["tuned.value"]) == result.tuning.parameters["value"]


def test_a_nested_cross_validation_is_in_the_result_and_on_the_run(
    job: MakeJob, client: MlflowClient, tmp_path: Path
) -> None:
    result = train(job("nested"))

    found = result.cross_validation
    assert found is not None
    assert found.nested
    assert [fold.scored_on for fold in found.folds] == ["2013-02", "2013-03", "2013-04"]
    stored = read(client, result.run_id, "cross_validation.json", tmp_path)
    assert CrossValidation.model_validate_json(stored) == found


def test_a_candidate_without_a_search_may_be_cross_validated(job: MakeJob) -> None:
    result = train(job("plain"))

    assert result.tuning is None
    assert result.parameters == {}
    assert result.cross_validation is not None
    assert not result.cross_validation.nested
    assert result.cross_validation.mean == 0.0


@pytest.mark.parametrize("candidate", ["nested", "plain"])
def test_the_held_out_rows_are_never_read(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, candidate: str, fits: list[list[float]]
) -> None:
    from mlops_core.data import snapshots

    opened: list[str] = []
    original = snapshots._open

    def spy(identity: Any, entry: PartitionEntry) -> Any:
        opened.append(entry.partition)
        return original(identity, entry)

    monkeypatch.setattr(snapshots, "_open", spy)

    train(job(candidate))

    assert set(opened) == set(tuning_models.PARTITIONS[:4])
    assert max(place for fit in fits for place in fit) < 20130500


def test_the_metric_of_the_search_ranks_the_trials(job: MakeJob) -> None:
    search = tuning_models.SEARCH.model_copy(update={"metric": "mse"})

    result = train(job("searched", search=search))

    assert result.tuning is not None
    assert result.tuning.metric == "mse"
    assert result.tuning.score == pytest.approx((float(str(result.tuning.parameters["value"])) - 10) ** 2)


def test_every_trial_is_logged_although_all_have_failed(
    job: MakeJob, client: MlflowClient, tmp_path: Path
) -> None:
    asked = job("hopeless")

    with pytest.raises(EvaluationError, match="candidate 'hopeless': none of 4 trials has a mae"):
        train(asked)

    experiment = client.get_experiment_by_name("constant")
    [run] = [
        run
        for run in client.search_runs([experiment.experiment_id])
        if run.data.tags.get("mlops.caused_by") == asked.operation_key
    ]
    assert run.info.status == "FAILED"
    tuning = Tuning.model_validate_json(read(client, run.info.run_id, "tuning.json", tmp_path))
    assert {trial.state for trial in tuning.trials} == {"failed"}
    assert not checkpoint_folder(asked).exists()


def test_a_name_that_the_fit_does_not_take_is_refused_before_any_trial(
    job: MakeJob, fits: list[list[float]]
) -> None:
    with pytest.raises(DeclarationError, match="'misnamed': its fit does not take the parameters depth"):
        train(job("misnamed"))

    assert fits == []


def test_several_processes_are_refused(job: MakeJob, rows: LabelledRows, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="'plain': 2 processes fit it, and a search or a"):
        choose_parameters(
            TrainingContext(run_id="r", checkpoints=tmp_path, world_size=2),
            rows,
            job=job("plain"),
            pipeline=tuning_models.PIPELINE,
            fit=tuning_models.fit_constant,
        )


def test_features_that_are_not_declared_do_not_include_the_partition(job: MakeJob) -> None:
    result = train(job("plain"))

    # The declaration names no features, so every column would be one.
    model = load_trained(result, job("plain"))
    assert list(model.features) == ["place"]


def test_logging_a_killed_jobs_trials_again_changes_nothing(
    job: MakeJob, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    asked = job("nested")
    with monkeypatch.context() as patch:
        patch.setattr("mlops_core.training.train.log_model", die)
        with pytest.raises(Killed):
            train(asked)

    result = train(asked)

    history = client.get_metric_history(result.run_id, "tuning_score")
    assert len({metric.step for metric in history}) == len(history)
    assert not checkpoint_folder(asked).exists()


def test_the_search_and_the_folds_belong_to_the_jobs_digest(job: MakeJob) -> None:
    digests = {
        job("searched").digest(),
        job("searched", search=None).digest(),
        job("searched", search=tuning_models.SEARCH.model_copy(update={"trials": 7})).digest(),
        job("searched", search=tuning_models.SEARCH.judged_by("mse")).digest(),
        job("searched", cross_validation=2).digest(),
    }

    assert len(digests) == 5
