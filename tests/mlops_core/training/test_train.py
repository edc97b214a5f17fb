"""A train job makes one tracked run and one stored model, however often it is tried."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient

import odd_models
import toy_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import (
    CorruptedDataError,
    DataRejectedError,
    DeclarationError,
    EvaluationError,
    RegistryUnavailableError,
)
from mlops_core.models.stored import DIGEST_TAG
from mlops_core.training import run as tracked
from mlops_core.training import train as training
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.train import train
from trained_models import load_trained

pytestmark = pytest.mark.slow

MakeJob = Callable[..., TrainJob]
FRAME = toy_models.load("2013-03").to_pandas()


class Killed(BaseException):
    """Ends a train job as a kill does: nothing of its own runs afterwards."""


def die(*_: object, **__: object) -> None:
    raise Killed


def odd(make_job: MakeJob, candidate: str) -> TrainJob:
    return make_job(reference="odd_models:ODD", candidate=candidate, parameters={})


def runs_of(client: MlflowClient, job: TrainJob) -> list[Any]:
    experiment = client.get_experiment_by_name(job.pipeline)
    found = client.search_runs([experiment.experiment_id])
    return [run for run in found if run.data.tags.get("mlops.caused_by") == job.operation_key]


def models_of(client: MlflowClient, run_id: str) -> list[str]:
    experiment_id = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    return [model.model_id for model in found]


def scores(result: TrainResult, job: TrainJob) -> np.ndarray:
    return load_trained(result, job).predict(FRAME).scores


@pytest.mark.parametrize(
    ("pipeline", "candidate"),
    [
        (toy_models.BINARY, "trees"),
        (toy_models.BINARY, "line"),
        (toy_models.MULTICLASS, "trees"),
        (toy_models.MULTICLASS, "line"),
        (toy_models.REGRESSION, "trees"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_task_trains_and_its_model_predicts(make_job: MakeJob, pipeline: Any, candidate: str) -> None:
    job = make_job(
        pipeline=pipeline.name,
        reference=f"toy_models:{pipeline.name.removeprefix('toy_').upper()}",
        candidate=candidate,
        parameters={},
    )

    result = train(job)

    model = load_trained(result, job)
    assert model.task is pipeline.task
    assert np.isfinite(model.predict(FRAME).scores).all()
    assert TrainResult.model_validate_json(result.model_dump_json()) == result


def test_only_labelled_training_rows_are_fitted(
    make_job: MakeJob, store: SnapshotStore, client: MlflowClient
) -> None:
    job = make_job()
    table = store.read(job.snapshot, partitions=job.split.training_partitions)

    result = train(job)

    assert job.split.training_partitions == ("2013-01", "2013-02")
    assert result.rows == table.num_rows - table["positive"].null_count
    assert client.get_run(result.run_id).data.metrics["rows"] == result.rows


def test_the_run_says_everything_about_the_job(make_job: MakeJob, client: MlflowClient) -> None:
    job = make_job()

    result = train(job)

    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"candidate": "trees", "seed": "3", "parameters.iterations": "5"}
    assert run.data.tags["mlops.snapshot_digest"] == job.snapshot.digest
    assert run.data.tags["mlops.split_digest"] == job.split.digest
    assert run.data.metrics["training_accuracy"] == result.training_metrics["accuracy"]
    assert run.data.metrics["fit_seconds"] == result.fit_seconds
    assert {artifact.path for artifact in client.list_artifacts(result.run_id)} == {
        "environment.json",
        "train_job.json",
        "train_result.json",
    }
    assert [output.model_id for output in run.outputs.model_outputs] == [result.model.model_id]


def test_the_snapshot_is_the_runs_dataset_input(make_job: MakeJob, client: MlflowClient) -> None:
    job = make_job()

    result = train(job)

    [dataset_input] = client.get_run(result.run_id).inputs.dataset_inputs
    source = json.loads(dataset_input.dataset.source)
    assert source["path"] == job.snapshot.table_uri
    assert source["delta_table_version"] == job.snapshot.version
    assert source["digest"] == job.snapshot.digest
    assert source["partitions"] == list(job.split.training_partitions)
    assert job.snapshot.digest.startswith(dataset_input.dataset.digest)
    assert {tag.key: tag.value for tag in dataset_input.tags}["mlflow.data.context"] == "training"


def test_environment_and_job_can_be_read_back(
    make_job: MakeJob, client: MlflowClient, tmp_path: Path
) -> None:
    job = make_job()

    result = train(job)

    stored = client.download_artifacts(result.run_id, "train_job.json", str(tmp_path))
    assert TrainJob.model_validate_json(Path(stored).read_text()) == job
    environment = json.loads(
        Path(client.download_artifacts(result.run_id, "environment.json", str(tmp_path))).read_text()
    )
    assert "scikit-learn" in environment["packages"]


def test_the_same_seed_gives_the_same_predictions(make_job: MakeJob, tmp_path: Path) -> None:
    first, second, other = (
        make_job(operation_key=f"{tmp_path.name}/{name}", seed=seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )

    same = scores(train(first), first)

    np.testing.assert_array_equal(scores(train(second), second), same)
    assert (scores(train(other), other) != same).any()


def test_draws_from_global_generators_are_seeded_too(make_job: MakeJob, tmp_path: Path) -> None:
    first, second = (
        odd(make_job, "from_global_generators").model_copy(
            update={"operation_key": f"{tmp_path.name}/{name}"}
        )
        for name in "ab"
    )

    np.testing.assert_array_equal(scores(train(first), first), scores(train(second), second))


def test_a_fit_that_changes_its_arguments_changes_nothing_else(make_job: MakeJob) -> None:
    job = odd(make_job, "rough")

    model = load_trained(train(job), job)

    assert (model.input_example["amount"] != 0).any()


def test_no_active_run_is_made(make_job: MakeJob) -> None:
    train(make_job())

    assert mlflow.active_run() is None


def test_jobs_in_two_threads_do_not_write_into_each_other(
    make_job: MakeJob, client: MlflowClient, tmp_path: Path
) -> None:
    jobs = [make_job(operation_key=f"{tmp_path.name}/{seed}", seed=seed) for seed in (1, 2)]
    results: dict[int, TrainResult] = {}

    def run(job: TrainJob) -> None:
        results[job.seed] = train(job)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for seed, result in results.items():
        assert client.get_run(result.run_id).data.params["seed"] == str(seed)
        assert models_of(client, result.run_id) == [result.model.model_id]
    assert len({result.run_id for result in results.values()}) == 2


def test_a_finished_job_is_not_fitted_again(
    make_job: MakeJob, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = odd(make_job, "with_visitor")
    monkeypatch.setattr(odd_models, "fits", [])

    first, second = train(job), train(job)

    assert odd_models.fits == ["with_visitor"]
    assert second == first
    assert len(runs_of(client, job)) == 1


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (tracked, "log_job"),
        (tracked, "log_dataset"),
        (training, "log_model"),
        (training, "training_metrics"),
        (tracked, "log_result"),
        (training, "finish_run"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_job_that_was_killed_anywhere_is_completed_in_the_same_run(
    make_job: MakeJob, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    # given
    job = make_job()
    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(Killed):
            train(job)
    [killed] = runs_of(client, job)
    assert killed.info.status == "RUNNING"

    # when
    result = train(job)

    # then
    assert [run.info.run_id for run in runs_of(client, job)] == [killed.info.run_id] == [result.run_id]
    assert models_of(client, result.run_id) == [result.model.model_id]
    assert client.get_run(result.run_id).info.status == "FINISHED"
    assert len(client.get_run(result.run_id).inputs.dataset_inputs) == 1
    assert np.isfinite(scores(result, job)).all()


def test_a_finished_run_whose_model_is_gone_is_fitted_again(make_job: MakeJob, client: MlflowClient) -> None:
    job = make_job()
    first = train(job)
    client.delete_logged_model(first.model.model_id)

    second = train(job)

    assert second.run_id == first.run_id
    assert second.model.model_id != first.model.model_id
    assert np.isfinite(scores(second, job)).all()


def test_a_finished_run_whose_model_has_another_digest_is_fitted_again(
    make_job: MakeJob, client: MlflowClient
) -> None:
    first = train(make_job())
    client.set_logged_model_tags(first.model.model_id, {DIGEST_TAG: "another"})

    assert train(make_job()).model.model_id != first.model.model_id


def test_a_finished_run_with_half_a_result_is_fitted_again(make_job: MakeJob, client: MlflowClient) -> None:
    job = make_job()
    first = train(job)
    client.log_text(first.run_id, first.model_dump_json()[:40], tracked.RESULT_FILE)

    assert train(job).model.model_id != first.model.model_id


def test_another_plan_under_the_same_key_gets_a_run_of_its_own(
    make_job: MakeJob, client: MlflowClient
) -> None:
    first, second = train(make_job(seed=1)), train(make_job(seed=2))

    assert first.run_id != second.run_id
    assert len(runs_of(client, make_job())) == 2


def test_a_run_that_was_made_beforehand_is_used(make_job: MakeJob, client: MlflowClient) -> None:
    experiment_id = client.create_experiment("prepared")
    prepared = client.create_run(experiment_id).info.run_id

    result = train(make_job(run_id=prepared))

    assert result.run_id == prepared
    assert client.get_run(prepared).info.status == "FINISHED"


def test_the_run_of_another_job_is_refused(make_job: MakeJob) -> None:
    taken = train(make_job()).run_id

    with pytest.raises(DeclarationError, match=f"run {taken} belongs to another train job"):
        train(make_job(seed=9, run_id=taken))


def test_metrics_that_are_not_finite_fail_the_run_after_its_model_is_stored(
    make_job: MakeJob, client: MlflowClient
) -> None:
    job = make_job(
        pipeline="toy_regression", reference="odd_models:DIVERGING", candidate="diverged", parameters={}
    )

    with pytest.raises(EvaluationError, match="predictions on training rows are NaN or infinite"):
        train(job)

    [run] = runs_of(client, job)
    assert run.info.status == "FAILED"
    assert run.data.metrics == {}
    assert len(models_of(client, run.info.run_id)) == 1


@pytest.mark.parametrize(
    ("candidate", "error", "message"),
    [
        ("nothing", DeclarationError, "fit returned a NoneType without predict"),
        ("unstorable", DeclarationError, "holds the types odd_models.Note; add them to trusted_types"),
        ("broken", ZeroDivisionError, "the model's own mistake"),
    ],
)
def test_a_fit_that_goes_wrong_fails_the_run(
    make_job: MakeJob, client: MlflowClient, candidate: str, error: type[Exception], message: str
) -> None:
    job = odd(make_job, candidate)

    with pytest.raises(error, match=message):
        train(job)

    [run] = runs_of(client, job)
    assert run.info.status == "FAILED"
    assert models_of(client, run.info.run_id) == []


def test_a_failed_run_is_adopted_once_the_model_is_mended(
    make_job: MakeJob, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = odd(make_job, "broken")
    with pytest.raises(ZeroDivisionError):
        train(job)

    monkeypatch.setattr(odd_models, "fit_broken", toy_models.fit_trees)
    result = train(job)

    assert [run.info.run_id for run in runs_of(client, job)] == [result.run_id]


def test_the_fits_own_error_is_raised_although_the_server_is_gone_too(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object, **__: object) -> None:
        raise RegistryUnavailableError("gone")

    monkeypatch.setattr(training, "finish_run", unavailable)

    with pytest.raises(ZeroDivisionError):
        train(odd(make_job, "broken"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"candidate": "forest"}, "has no candidate 'forest'; it has: trees, line"),
        ({"parameters": {"depth": 3}}, "cannot be called with .* depth"),
        ({"reference": "toy_models:NOTHING"}, "has no 'NOTHING'"),
        ({"reference": "no_such_module:PIPELINE"}, "cannot import 'no_such_module'"),
        ({"reference": "odd_models:NO_PIPELINE"}, "is a str; it must be a Pipeline"),
        ({"pipeline": "flight_delay"}, "the job is for pipeline 'flight_delay'"),
    ],
)
def test_a_job_that_does_not_fit_its_pipeline_is_refused(
    make_job: MakeJob, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        train(make_job(**fields))


def test_damaged_data_are_never_fitted(make_job: MakeJob, tmp_path: Path) -> None:
    store = SnapshotStore(str(tmp_path))
    for partition in toy_models.PARTITIONS:
        store.write_partition("toy_binary", partition, toy_models.load(partition))
    job = make_job(snapshot=store.current("toy_binary"), data_uri=str(tmp_path))
    [file, *_] = sorted(tmp_path.rglob("*2013-01*/*.parquet")) or sorted(tmp_path.rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(CorruptedDataError):
        train(job)


def test_rows_of_one_class_are_refused(make_job: MakeJob, tmp_path: Path) -> None:
    store = SnapshotStore(str(tmp_path))
    for partition in toy_models.PARTITIONS:
        table = toy_models.load(partition)
        place = table.schema.get_field_index("positive")
        same = table.set_column(place, "positive", pa.array([True] * table.num_rows))
        store.write_partition("toy_binary", partition, same)

    with pytest.raises(DataRejectedError, match="has 1 classes"):
        train(make_job(snapshot=store.current("toy_binary"), data_uri=str(tmp_path)))
