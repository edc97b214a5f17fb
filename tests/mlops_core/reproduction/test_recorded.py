"""What a run has recorded must be of the data that the signed evaluation report names."""

import pytest
from mlflow import MlflowClient

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.errors import NotReproducibleError, RegistryMismatchError
from mlops_core.evaluation.evidence import log_evidence
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.record import ModelRecord
from mlops_core.registry.records import VersionRecord
from mlops_core.reproduction.recorded import require_declared, require_signed
from mlops_core.training.job import SplitIdentity, TrainJob
from registry_examples import MODEL, passed_report, stored_model, version_record


@pytest.fixture
def report(client: MlflowClient) -> EvaluationReport:
    """A report in its challenger's run."""
    made = passed_report(stored_model(client))
    log_evidence(client, made, page="")
    return made


@pytest.fixture
def version(report: EvaluationReport) -> VersionRecord:
    return version_record(1, run_id=report.challenger.run_id, evidence_digest=report.digest())


def job(report: EvaluationReport, **changes: object) -> TrainJob:
    """Return a job of the report's data."""
    return TrainJob.model_validate(
        {
            "pipeline": MODEL,
            "reference": "flight_delay.pipeline:PIPELINE",
            "candidate": "boosted_trees",
            "snapshot": report.snapshot,
            "split": report.split,
            "operation_key": "train",
            "tracking_uri": "http://127.0.0.1:1",
            "data_uri": "/data",
            **changes,
        }
    )


SNAPSHOT = SnapshotIdentity(table_uri="/data/flight_delay", version=5, digest="0" * 64)
SPLIT = SplitIdentity(
    training_partitions=("2013-01", "2013-02"), holdout_partitions=("2013-03",), digest="0" * 64
)


@pytest.mark.integration
def test_the_data_of_the_signed_report_are_believed(
    client: MlflowClient, report: EvaluationReport, version: VersionRecord
) -> None:
    require_signed(client, version, job(report))


@pytest.mark.integration
@pytest.mark.parametrize("changes", [{"snapshot": SNAPSHOT}, {"split": SPLIT}], ids=["snapshot", "split"])
def test_other_data_than_the_signed_report_names_are_not_believed(
    client: MlflowClient, report: EvaluationReport, version: VersionRecord, changes: dict[str, object]
) -> None:
    with pytest.raises(RegistryMismatchError, match=r"was signed for .* MLflow was changed"):
        require_signed(client, version, job(report, **changes))


@pytest.mark.integration
def test_without_the_signed_report_nothing_is_believed(
    client: MlflowClient, report: EvaluationReport, version: VersionRecord
) -> None:
    gone = version.model_copy(update={"evidence_digest": "0" * 64})

    with pytest.raises(NotReproducibleError, match="holds no evaluation report"):
        require_signed(client, gone, job(report))


def test_only_the_declaration_that_the_ledger_knows_is_imported() -> None:
    report = passed_report(ModelRecord(run_id="r", model_id="m-1", uri="models:/m-1", digest="d"))
    require_declared(job(report), reference="flight_delay.pipeline:PIPELINE")

    with pytest.raises(RegistryMismatchError, match="'os:system', the ledger 'flight_delay"):
        require_declared(job(report, reference="os:system"), reference="flight_delay.pipeline:PIPELINE")
