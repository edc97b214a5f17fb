"""A model comes back from MLflow as it went there, or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

import toy_models
from mlops_core.errors import DeclarationError, RegistryUnavailableError, UntrustedModelError
from mlops_core.models.stored import DIGEST_TAG, ModelRecord, load_model, log_model, model_digest
from mlops_core.models.trust import TrustedCode
from mlops_core.tracking import adopt_or_create_run, tracking_client
from mlops_core.training.rows import LabelledRows
from servers import MlflowServer

TOY = TrustedCode.declared_by(toy_models.BINARY)


def stored_files(client: MlflowClient, record: ModelRecord) -> Path:
    """Where the store keeps the model's own files."""
    return Path(client.get_logged_model(record.model_id).artifact_location.removeprefix("file://"))


def test_a_stored_model_predicts_as_the_fitted_one(
    record: ModelRecord, estimator: Any, rows: LabelledRows, local_tracking_uri: str
) -> None:
    model = load_model(record, tracking_uri=local_tracking_uri, trusted=TOY)

    np.testing.assert_array_equal(
        model.predict(rows.features).scores,
        estimator.predict_proba(rows.features)[:, 1],
    )
    assert model.digest == record.digest


def test_the_record_names_the_run_and_its_ready_model(
    client: MlflowClient, record: ModelRecord, run_id: str
) -> None:
    logged = client.get_logged_model(record.model_id)

    assert logged.status == "READY"
    assert logged.source_run_id == record.run_id == run_id
    assert logged.tags[DIGEST_TAG] == record.digest
    assert logged.params["estimator.trees__max_iter"] == "5"
    assert record.uri == f"models:/{record.model_id}"
    assert [output.model_id for output in client.get_run(run_id).outputs.model_outputs] == [record.model_id]


def test_the_digest_is_that_of_the_stored_files(client: MlflowClient, record: ModelRecord) -> None:
    assert model_digest(stored_files(client, record)) == record.digest


def test_no_active_run_is_made_or_needed(record: ModelRecord) -> None:
    assert record.digest
    assert mlflow.active_run() is None


def test_a_refused_estimator_leaves_nothing_on_the_server(
    client: MlflowClient, run_id: str, rows: LabelledRows
) -> None:
    with pytest.raises(DeclarationError):
        log_model(
            client,
            run_id=run_id,
            estimator=object(),
            pipeline=toy_models.BINARY,
            input_example=rows.features.head(5),
        )

    experiment_id = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    assert list(found) == []


def test_a_file_that_was_changed_on_the_server_is_refused(
    client: MlflowClient, record: ModelRecord, local_tracking_uri: str
) -> None:
    estimator_file = stored_files(client, record) / "model.skops"
    content = bytearray(estimator_file.read_bytes())
    content[len(content) // 2] ^= 1
    estimator_file.write_bytes(content)

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        load_model(record, tracking_uri=local_tracking_uri, trusted=TOY)


def test_another_models_files_are_refused(
    client: MlflowClient,
    record: ModelRecord,
    run_id: str,
    estimator: Any,
    rows: LabelledRows,
    local_tracking_uri: str,
) -> None:
    other = log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=toy_models.BINARY,
        input_example=rows.features.head(5),
    )

    with pytest.raises(UntrustedModelError):
        load_model(record.model_copy(update={"uri": other.uri}), tracking_uri=local_tracking_uri, trusted=TOY)


def test_a_model_that_is_gone_is_named(record: ModelRecord, local_tracking_uri: str) -> None:
    gone = record.model_copy(update={"uri": "models:/m-00000000000000000000000000000000"})

    with pytest.raises(UntrustedModelError, match="MLflow gives no files of models:/m-0000"):
        load_model(gone, tracking_uri=local_tracking_uri, trusted=TOY)


def test_a_model_whose_files_are_gone_is_named(
    client: MlflowClient, record: ModelRecord, local_tracking_uri: str
) -> None:
    shutil.rmtree(stored_files(client, record))

    with pytest.raises(UntrustedModelError, match="MLflow gives no files of models:/m-"):
        load_model(record, tracking_uri=local_tracking_uri, trusted=TOY)


@pytest.mark.parametrize("uri", ["models:/toy/1", "models:/toy@champion", "file:///etc", "runs:/1/model"])
def test_an_address_that_can_change_its_meaning_is_refused(
    record: ModelRecord, local_tracking_uri: str, uri: str
) -> None:
    with pytest.raises(UntrustedModelError, match="names no stored model"):
        load_model(record.model_copy(update={"uri": uri}), tracking_uri=local_tracking_uri, trusted=TOY)


def test_a_cached_model_needs_no_server(record: ModelRecord, local_tracking_uri: str, tmp_path: Path) -> None:
    load_model(record, tracking_uri=local_tracking_uri, trusted=TOY, cache=tmp_path / "cache")

    model = load_model(record, tracking_uri="http://127.0.0.1:1", trusted=TOY, cache=tmp_path / "cache")

    assert model.digest == record.digest
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [record.digest]


def test_a_damaged_cache_is_downloaded_again(
    record: ModelRecord, local_tracking_uri: str, tmp_path: Path
) -> None:
    load_model(record, tracking_uri=local_tracking_uri, trusted=TOY, cache=tmp_path)
    (tmp_path / record.digest / "model.skops").write_bytes(b"damaged")

    model = load_model(record, tracking_uri=local_tracking_uri, trusted=TOY, cache=tmp_path)

    assert model_digest(tmp_path / record.digest) == model.digest


def test_a_refused_download_never_enters_the_cache(
    client: MlflowClient, record: ModelRecord, local_tracking_uri: str, tmp_path: Path
) -> None:
    (stored_files(client, record) / "requirements.txt").write_text("evil\n")

    with pytest.raises(UntrustedModelError):
        load_model(record, tracking_uri=local_tracking_uri, trusted=TOY, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_a_model_survives_the_way_through_a_server(
    mlflow_server: MlflowServer,
    estimator: Any,
    rows: LabelledRows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given: a process whose global address is another server, as in a notebook
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = tracking_client(mlflow_server.uri)
    run_id = adopt_or_create_run(client, experiment="models", operation_key="way", run_name="toy", tags={})

    # when
    record = log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=toy_models.BINARY,
        input_example=rows.features.head(5),
    )
    model = load_model(record, tracking_uri=mlflow_server.uri, trusted=TOY, cache=tmp_path)

    # then
    np.testing.assert_array_equal(
        model.predict(rows.features).scores,
        estimator.predict_proba(rows.features)[:, 1],
    )
    with mlflow_server.down():
        assert (
            load_model(record, tracking_uri=mlflow_server.uri, trusted=TOY, cache=tmp_path).digest
            == record.digest
        )
        with pytest.raises(RegistryUnavailableError, match="download models:/m-"):
            load_model(record, tracking_uri=mlflow_server.uri, trusted=TOY)


@pytest.mark.integration
def test_files_downloaded_by_the_registered_name_have_the_same_digest(
    mlflow_server: MlflowServer, estimator: Any, rows: LabelledRows, tmp_path: Path
) -> None:
    client = tracking_client(mlflow_server.uri)
    run_id = adopt_or_create_run(client, experiment="models", operation_key="name", run_name="toy", tags={})
    record = log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=toy_models.BINARY,
        input_example=rows.features.head(5),
    )
    client.create_registered_model("digest_by_name")
    client.create_model_version("digest_by_name", source=record.uri, run_id=run_id, model_id=record.model_id)

    # In a process of its own: MLflow resolves registered names on the process's global server.
    code = (
        "import sys, mlflow\n"
        "mlflow.artifacts.download_artifacts('models:/digest_by_name/1', dst_path=sys.argv[1])\n"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow_server.uri}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], env=environment, check=True)

    folders = [path.parent for path in (tmp_path / "model").rglob("MLmodel")]
    assert [path.name for path in folders[0].glob("registered_model_meta")] == ["registered_model_meta"]
    assert model_digest(folders[0]) == record.digest
