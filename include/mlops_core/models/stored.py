"""Models on their way to and from the MLflow server."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException

from mlops_core.errors import UntrustedModelError
from mlops_core.models.content import CONTENT_DIGEST_TAG, content_digest
from mlops_core.models.directory import bind_directory, model_digest, read_directory, write_directory
from mlops_core.models.frames import feature_types
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.network import is_module
from mlops_core.models.record import ModelRecord
from mlops_core.models.trust import Trust
from mlops_core.pipeline import Pipeline
from mlops_core.tracking import registry_errors, tracking_client

__all__ = [
    "DIGEST_TAG",
    "LoadedModel",
    "ModelRecord",
    "ModelReference",
    "Predictions",
    "check_files",
    "load_model",
    "log_model",
    "model_digest",
]

DIGEST_TAG = "mlops.model_digest"

_LONGEST_PARAMETER = 500

log = logging.getLogger(__name__)


class ModelReference(Protocol):
    """Whatever names a stored model: a model record, or a version in the ledger."""

    @property
    def uri(self) -> str:
        """MLflow's ``models:/m-...``."""

    @property
    def digest(self) -> str:
        """What its files must have."""


def log_model(
    client: MlflowClient,
    *,
    run_id: str,
    estimator: Any,
    pipeline: Pipeline,
    input_example: pd.DataFrame,
    features: Mapping[str, str] | None = None,
) -> ModelRecord:
    """Store a fitted estimator, or torch module, as an MLflow model of a run.

    The files are written and their digest is taken here, before anything is sent: the digest says what was
    fitted, and not what the server made of it.

    Parameters
    ----------
    input_example
        A few rows, by column name.
    features
        Type by column name; told from the input example if None, which needs a value in every column.

    Raises
    ------
    DeclarationError
        If the estimator lacks what its task needs, or holds types that are not declared as trusted.
    RegistryUnavailableError
        If the server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-model-") as folder:
        directory = Path(folder) / "model"
        write_directory(
            directory,
            estimator=estimator,
            pipeline=pipeline,
            features=feature_types(input_example) if features is None else features,
            input_example=input_example,
        )
        with registry_errors(f"log the model of run {run_id}"):
            run = client.get_run(run_id)
            logged = client.create_logged_model(
                run.info.experiment_id,
                name=pipeline.name,
                source_run_id=run_id,
                params={**_parameters(estimator), **run.data.params},
            )
            bind_directory(directory, logged)
            digest = model_digest(directory)
            client.log_model_artifacts(logged.model_id, str(directory))
            tags = {DIGEST_TAG: digest, CONTENT_DIGEST_TAG: content_digest(directory)}
            client.set_logged_model_tags(logged.model_id, tags)
            client.finalize_logged_model(logged.model_id, "READY")
            # Last, because a run's outputs cannot be taken back.
            client.log_outputs(run_id, models=[LoggedModelOutput(logged.model_id, step=0)])
    return ModelRecord(
        run_id=run_id, model_id=logged.model_id, uri=f"models:/{logged.model_id}", digest=digest
    )


def load_model(
    reference: ModelReference,
    *,
    tracking_uri: str,
    trusted: Trust,
    cache: Path | None = None,
) -> LoadedModel:
    """Load a stored model after its digest is verified.

    Parameters
    ----------
    trusted
        What it may be built from: ``TrustedCode.declared_by`` its pipeline, unless its signature was
        verified; see ``read_directory``.
    cache
        Folder that keeps downloaded models by digest. What it keeps needs no server, and is verified each
        time. None downloads to a temporary folder.

    Raises
    ------
    UntrustedModelError
        If the files differ from the digest, are of a refused format, or are gone.
    RegistryUnavailableError
        If the server does not answer.
    """
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="mlops-model-") as folder:
            directory = _download(reference, tracking_uri=tracking_uri, folder=Path(folder))
            return read_directory(directory, digest=reference.digest, trusted=trusted)
    kept = cache / reference.digest
    if kept.is_dir() and not _is_intact(kept, reference.digest):
        log.warning("cached model %s differs from its digest and is downloaded again", kept)
        shutil.rmtree(kept)
    if not kept.is_dir():
        _keep(reference, tracking_uri=tracking_uri, kept=kept)
    return read_directory(kept, digest=reference.digest, trusted=trusted)


def check_files(reference: ModelReference, *, tracking_uri: str) -> None:
    """Download a stored model and compare its digest; nothing of it is loaded.

    Raises
    ------
    UntrustedModelError
        If the files differ from the digest, or are gone.
    RegistryUnavailableError
        If the server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-model-") as folder:
        download_model(reference, tracking_uri=tracking_uri, folder=Path(folder))


def download_model(reference: ModelReference, *, tracking_uri: str, folder: Path) -> Path:
    """Download a stored model below a folder and compare its digest; return where its files lie.

    Raises
    ------
    UntrustedModelError
        If the files differ from the digest, or are gone.
    RegistryUnavailableError
        If the server does not answer.
    """
    directory = _download(reference, tracking_uri=tracking_uri, folder=folder)
    found = model_digest(directory)
    if found != reference.digest:
        raise UntrustedModelError(
            f"the model files of {reference.uri} have the digest {found}, not {reference.digest}: they were "
            "changed after they were stored"
        )
    return directory


def _parameters(estimator: Any) -> dict[str, str]:
    """Return the estimator's own settings. They go with the model: a run's cannot change in a retry."""
    if is_module(estimator):
        settings: Any = estimator.config
    elif hasattr(estimator, "get_params"):
        settings = estimator.get_params(deep=True)
    else:
        return {}
    return {
        f"estimator.{name}": str(value)[:_LONGEST_PARAMETER]
        for name, value in sorted(settings.items())
        if value is None or isinstance(value, bool | int | float | str)
    }


def _is_intact(directory: Path, digest: str) -> bool:
    try:
        return model_digest(directory) == digest
    except UntrustedModelError:
        return False


def _keep(reference: ModelReference, *, tracking_uri: str, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=kept.parent) as folder:
        # What differs from its digest is refused here; the cache never holds it.
        directory = download_model(reference, tracking_uri=tracking_uri, folder=Path(folder))
        # Another process may have put the same files there meanwhile.
        with contextlib.suppress(OSError):
            directory.replace(kept)


def _download(reference: ModelReference, *, tracking_uri: str, folder: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    model_id = reference.uri.removeprefix("models:/")
    if not model_id.startswith("m-"):
        raise UntrustedModelError(
            f"{reference.uri!r} names no stored model; give 'models:/m-...', which never changes its meaning"
        )
    client = tracking_client(tracking_uri)
    try:
        with registry_errors(f"download {reference.uri}"):
            # Not by the models: URI, which MLflow resolves on the process's global server.
            location = client.get_logged_model(model_id).artifact_location
            return Path(
                download_artifacts(artifact_uri=location, dst_path=str(folder), tracking_uri=tracking_uri)
            )
    except (MlflowException, OSError) as error:
        raise UntrustedModelError(f"MLflow gives no files of {reference.uri}: {error}") from error
