"""Evaluation reports kept in the challenger's MLflow run, under their digest, and read back with proof."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric as RunMetric
from mlflow.entities import RunTag
from pydantic import ValidationError

from mlops_core.artifacts import find_artifact
from mlops_core.errors import CorruptedDataError, EvaluationError
from mlops_core.evaluation.report import CandidateEvaluation, EvaluationReport
from mlops_core.tracking import registry_errors

EVIDENCE_TAG = "mlops.evidence_digest"
"""The run's tag that names its newest report."""

GATES_TAG = "mlops.gates"
"""The run's tag that says what the gates decided: ``passed`` or ``refused``."""


def log_evidence(
    client: MlflowClient, report: EvaluationReport, *, page: str, files: Mapping[str, bytes] | None = None
) -> None:
    """Write the report, its page and every candidate's scores to their runs.

    Nothing is written twice: the folder is named by the report's digest, and a score's time is its run's
    start, so that a repeated call stores the same bytes and the same points. The tag comes last, so a run
    that has it has the whole report.

    Parameters
    ----------
    client
        Of the tracking server.
    report
        The evidence.
    page
        It as HTML.
    files
        What shows its parts, by ``part/name``.
    """
    for candidate in (report.challenger, *report.others):
        _log_scores(client, candidate)
    run_id, digest = report.challenger.run_id, report.digest()
    with registry_errors(f"log the evaluation report of run {run_id}"):
        client.log_text(run_id, report.canonical_json(), f"{_folder(digest)}/report.json")
        client.log_text(run_id, page, f"{_folder(digest)}/report.html")
        _log_files(client, run_id, folder=_folder(digest), files=files or {})
        client.set_tag(run_id, GATES_TAG, "passed" if report.passed else "refused")
        client.set_tag(run_id, EVIDENCE_TAG, digest)


def read_report(client: MlflowClient, run_id: str, *, digest: str | None = None) -> EvaluationReport:
    """Read an evaluation report back and check that it is the one that was written.

    Parameters
    ----------
    client
        Of the tracking server.
    run_id
        The challenger's run.
    digest
        The evidence digest that the report must have; the newest of the run if None.

    Raises
    ------
    EvaluationError
        If the run holds no such report.
    CorruptedDataError
        If the report differs from its digest.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    with registry_errors(f"read the evaluation report of run {run_id}"):
        digest = digest or client.get_run(run_id).data.tags.get(EVIDENCE_TAG)
    if digest is None:
        raise EvaluationError(f"run {run_id} holds no evaluation report; evaluate it first")
    content = find_artifact(client, run_id, f"{_folder(digest)}/report.json")
    if content is None:
        raise EvaluationError(f"run {run_id} holds no evaluation report {digest[:12]}; evaluate it again")
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise CorruptedDataError(
            f"the evaluation report of run {run_id} has the digest {found[:12]}, {digest[:12]} was asked for;"
            " it was changed after it was written: evaluate again"
        )
    try:
        return EvaluationReport.model_validate_json(content)
    except ValidationError as error:
        raise CorruptedDataError(
            f"the evaluation report of run {run_id} cannot be read by this version: {error}"
        ) from error


def _folder(digest: str) -> str:
    return f"evaluation/{digest[:16]}"


def _log_files(client: MlflowClient, run_id: str, *, folder: str, files: Mapping[str, bytes]) -> None:
    if not files:
        return
    with tempfile.TemporaryDirectory() as kept:
        for name, content in files.items():
            path = Path(kept) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        client.log_artifacts(run_id, kept, folder)


def _log_scores(client: MlflowClient, candidate: CandidateEvaluation) -> None:
    run_id = candidate.run_id
    with registry_errors(f"log the held-out scores of run {run_id}"):
        started = client.get_run(run_id).info.start_time
        points = [
            RunMetric(f"holdout_{score.metric}{suffix}", value, started, 0, model_id=candidate.model.model_id)
            for score in candidate.scores
            for suffix, value in (("", score.value), ("_lower", score.lower), ("_upper", score.upper))
        ]
        client.log_batch(run_id, metrics=points, tags=[RunTag("mlops.holdout_rows", candidate.rows_digest)])
