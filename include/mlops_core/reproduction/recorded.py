"""What was recorded when a model was fitted."""

import json
import tempfile
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from mlops_core.document import Document
from mlops_core.errors import EvaluationError, NotReproducibleError, RegistryMismatchError
from mlops_core.evaluation.evidence import read_report
from mlops_core.registry.records import VersionRecord
from mlops_core.tracking import registry_errors
from mlops_core.training.environment import Environment
from mlops_core.training.job import TrainJob, TrainResult, document_digest
from mlops_core.training.run import ENVIRONMENT_FILE, JOB_DIGEST_TAG, JOB_FILE, RESULT_FILE

_Recorded = TypeVar("_Recorded", bound=Document)


class FitRecord(Document):
    """The job of a fit, the software and machine that it ran on, and what it made."""

    job: TrainJob
    environment: Environment
    result: TrainResult


def read_fit(client: MlflowClient, run_id: str) -> FitRecord:
    """Return what a run has recorded of its fit.

    Raises
    ------
    NotReproducibleError
        If the run, or one of its documents, is not there or cannot be read.
    RegistryMismatchError
        If the job is not the one that the run was made for.
    """
    asked = _read(client, run_id, JOB_FILE)
    fit = FitRecord(
        job=_parsed(asked, run_id, JOB_FILE, TrainJob),
        environment=_parsed(_read(client, run_id, ENVIRONMENT_FILE), run_id, ENVIRONMENT_FILE, Environment),
        result=_parsed(_read(client, run_id, RESULT_FILE), run_id, RESULT_FILE, TrainResult),
    )
    with registry_errors(f"read run {run_id}"):
        owner = client.get_run(run_id).data.tags.get(JOB_DIGEST_TAG)
    # Of the file's own fields: an earlier version of this library had others.
    found = document_digest(json.loads(asked))
    if owner != found:
        raise RegistryMismatchError(
            f"run {run_id} was made for the train job {owner}, but {JOB_FILE} describes {found}; "
            "it was changed after the fit"
        )
    return fit


def require_same(version: VersionRecord, fit: FitRecord) -> None:
    """Require that the record is of the version's own fit.

    Raises
    ------
    RegistryMismatchError
        If it is of another model.
    """
    recorded = (fit.job.pipeline, fit.result.model.digest)
    if recorded != (version.model, version.digest):
        raise RegistryMismatchError(
            f"run {version.run_id} records a fit of {recorded[0]!r} with the digest {recorded[1]}, but "
            f"version {version.version} of {version.model!r} has {version.digest}; MLflow was changed"
        )


def require_signed(client: MlflowClient, version: VersionRecord, job: TrainJob) -> None:
    """Require that the job names the data of the evaluation report that the version was signed with, if any.

    Raises
    ------
    NotReproducibleError
        If the report is gone.
    CorruptedDataError
        If it was changed.
    RegistryMismatchError
        If it is of other data.
    """
    if version.evidence_digest is None:
        return
    try:
        report = read_report(client, version.run_id, digest=version.evidence_digest)
    except EvaluationError as error:
        raise NotReproducibleError(
            f"nothing says on which data version {version.version} of {version.model!r} was signed: {error}"
        ) from error
    if (job.snapshot, job.split) != (report.snapshot, report.split):
        raise RegistryMismatchError(
            f"{JOB_FILE} of run {version.run_id} names {job.snapshot} and the split {job.split.digest}, but "
            f"version {version.version} of {version.model!r} was signed for {report.snapshot} and "
            f"{report.split.digest}; MLflow was changed"
        )


def require_declared(job: TrainJob, *, reference: str) -> None:
    """Require that the job imports the declaration that the ledger knows.

    Raises
    ------
    RegistryMismatchError
        If it names another one.
    """
    if job.reference != reference:
        raise RegistryMismatchError(
            f"the recorded job of {job.pipeline!r} names the declaration {job.reference!r}, the ledger "
            f"{reference!r}: it was moved since, or MLflow was changed; nothing of it was imported"
        )


def _read(client: MlflowClient, run_id: str, name: str) -> bytes:
    try:
        with (
            registry_errors(f"read {name} of run {run_id}"),
            tempfile.TemporaryDirectory(prefix="mlops-recorded-") as folder,
        ):
            return Path(client.download_artifacts(run_id, name, folder)).read_bytes()
    except (MlflowException, OSError) as error:
        raise _unreadable(run_id, name, error) from error


def _parsed(content: bytes, run_id: str, name: str, kind: type[_Recorded]) -> _Recorded:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise _unreadable(run_id, name, error) from error


def _unreadable(run_id: str, name: str, error: Exception) -> NotReproducibleError:
    return NotReproducibleError(
        f"run {run_id} has no readable {name}: {str(error)[:300]}; only what a train job of this library has "
        "fitted can be reproduced"
    )
