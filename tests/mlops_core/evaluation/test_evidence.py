"""Reports in a real MLflow server: stored once, proved when read back, whole after any interruption."""

import hashlib
from pathlib import Path

import pytest
from mlflow import MlflowClient

import toy_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, EvaluationError, GateRefusedError, RegistryUnavailableError
from mlops_core.evaluation import evidence
from mlops_core.evaluation.evaluate import evaluate, read_report
from mlops_core.evaluation.evidence import EVIDENCE_TAG, GATES_TAG, log_evidence
from mlops_core.evaluation.gates import enforce
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.pipeline import AbsoluteGate, ChampionGate, Pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.reports import ReportStore
from mlops_core.tracking import tracking_client
from mlops_core.training.job import TrainingPlan, TrainJob, TrainResult
from mlops_core.training.split import holdout_split
from mlops_core.training.train import train
from registry_examples import passed_report, stored_model
from servers import MlflowServer
from signing_keys import signed

pytestmark = pytest.mark.integration


@pytest.fixture
def client(mlflow_server: MlflowServer) -> MlflowClient:
    return tracking_client(mlflow_server.uri)


@pytest.fixture
def report(client: MlflowClient) -> EvaluationReport:
    return passed_report(stored_model(client))


def history(client: MlflowClient, run_id: str) -> dict[str, list[float]]:
    names = client.get_run(run_id).data.metrics
    return {name: [point.value for point in client.get_metric_history(run_id, name)] for name in names}


def test_a_report_is_read_back_as_it_was_written(client: MlflowClient, report: EvaluationReport) -> None:
    run_id = report.challenger.run_id

    log_evidence(client, report, page="<p>page</p>")

    assert read_report(client, run_id) == report
    assert read_report(client, run_id, digest=report.digest()) == report
    tags = client.get_run(run_id).data.tags
    assert (tags[EVIDENCE_TAG], tags[GATES_TAG]) == (report.digest(), "passed")


def test_scores_are_logged_once_however_often_the_call_is_repeated(
    client: MlflowClient, report: EvaluationReport
) -> None:
    for _ in range(3):
        log_evidence(client, report, page="")

    assert history(client, report.challenger.run_id) == {
        "holdout_roc_auc": [0.8],
        "holdout_roc_auc_lower": [0.7],
        "holdout_roc_auc_upper": [0.9],
    }


def test_the_scores_are_those_of_the_stored_model_too(client: MlflowClient, report: EvaluationReport) -> None:
    log_evidence(client, report, page="")

    logged = client.get_logged_model(report.challenger.model.model_id)

    assert {metric.key: metric.value for metric in logged.metrics or []}["holdout_roc_auc"] == 0.8


def test_other_candidates_get_their_scores_in_their_own_runs(
    client: MlflowClient, report: EvaluationReport
) -> None:
    stored = stored_model(client)
    other = report.challenger.model_copy(
        update={"candidate": "other", "run_id": stored.run_id, "model": stored}
    )

    log_evidence(client, report.model_copy(update={"others": (other,)}), page="")

    assert client.get_run(stored.run_id).data.metrics["holdout_roc_auc"] == 0.8
    assert EVIDENCE_TAG not in client.get_run(stored.run_id).data.tags


def test_a_later_report_of_the_same_run_leaves_the_earlier_one_readable(
    client: MlflowClient, report: EvaluationReport
) -> None:
    later = report.model_copy(update={"generation": 5})
    log_evidence(client, report, page="")
    log_evidence(client, later, page="")

    assert read_report(client, report.challenger.run_id, digest=report.digest()) == report
    assert read_report(client, report.challenger.run_id) == later


def test_a_report_that_was_changed_on_the_server_is_refused(
    client: MlflowClient, report: EvaluationReport
) -> None:
    run_id = report.challenger.run_id
    log_evidence(client, report, page="")
    forged = report.canonical_json().replace('"value":0.8', '"value":0.9')
    client.log_text(run_id, forged, f"evaluation/{report.digest()[:16]}/report.json")

    with pytest.raises(CorruptedDataError, match=r"changed after it was written: evaluate again"):
        read_report(client, run_id)


def test_a_report_of_another_version_of_the_library_is_refused(
    client: MlflowClient, report: EvaluationReport
) -> None:
    run_id, content = report.challenger.run_id, '{"pipeline":"flight_delay"}'
    digest = hashlib.sha256(content.encode()).hexdigest()
    client.log_text(run_id, content, f"evaluation/{digest[:16]}/report.json")

    with pytest.raises(CorruptedDataError, match="cannot be read by this version"):
        read_report(client, run_id, digest=digest)


def test_a_run_that_was_never_evaluated_holds_no_report(client: MlflowClient) -> None:
    run_id = stored_model(client).run_id

    with pytest.raises(EvaluationError, match="holds no evaluation report; evaluate it first"):
        read_report(client, run_id)


def test_a_digest_that_the_run_does_not_hold_is_refused(
    client: MlflowClient, report: EvaluationReport
) -> None:
    log_evidence(client, report, page="")

    with pytest.raises(EvaluationError, match="holds no evaluation report abababababab; evaluate it again"):
        read_report(client, report.challenger.run_id, digest="ab" * 32)


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_a_call_that_died_after_any_write_is_completed_by_the_next(
    client: MlflowClient, report: EvaluationReport, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = report.challenger.run_id
    left = writes

    def counted(name: str) -> None:
        original = getattr(MlflowClient, name)

        def call(self: MlflowClient, *arguments: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return original(self, *arguments, **options)

        monkeypatch.setattr(MlflowClient, name, call)

    for name in ("log_batch", "log_text", "set_tag"):
        counted(name)
    with pytest.raises(KeyboardInterrupt):
        log_evidence(client, report, page="page")
    monkeypatch.undo()
    assert EVIDENCE_TAG not in client.get_run(run_id).data.tags

    log_evidence(client, report, page="page")

    assert read_report(client, run_id) == report
    assert history(client, run_id)["holdout_roc_auc"] == [0.8]


def test_a_server_that_is_down_is_a_service_that_did_not_answer(
    client: MlflowClient, report: EvaluationReport, mlflow_server: MlflowServer
) -> None:
    with mlflow_server.down(), pytest.raises(RegistryUnavailableError):
        log_evidence(client, report, page="")

    log_evidence(client, report, page="")
    assert read_report(client, report.challenger.run_id) == report


class Workplace:
    """Real snapshots, real training, a real server."""

    def __init__(self, pipeline: Pipeline, *, folder: Path, tracking_uri: str) -> None:
        self.pipeline = pipeline
        self.store = SnapshotStore(str(folder / "data"))
        self.folder = folder
        self.tracking_uri = tracking_uri
        for partition in toy_models.PARTITIONS:
            self.store.write_partition(pipeline.name, partition, toy_models.load(partition))

    def plan(self, *, seed: int, champion: EvaluationReport | None = None) -> TrainingPlan:
        snapshot = self.store.current(self.pipeline.name)
        split = holdout_split(self.store.partitions(snapshot), self.pipeline.split)
        jobs = [
            TrainJob(
                pipeline=self.pipeline.name,
                reference="not needed",
                candidate=candidate.name,
                parameters=candidate.parameters,
                snapshot=snapshot,
                split=split,
                seed=seed,
                operation_key=f"{self.folder.name}/{seed}/{candidate.name}",
                tracking_uri=self.tracking_uri,
                data_uri=str(self.folder / "data"),
            )
            for candidate in self.pipeline.candidates
        ]
        return TrainingPlan(
            pipeline=self.pipeline.name,
            snapshot=snapshot,
            split=split,
            jobs=tuple(jobs),
            champion=None if champion is None else version_record(champion),
            generation=0 if champion is None else 1,
        )

    def train(self, plan: TrainingPlan) -> list[TrainResult]:
        return [train(job, pipeline=self.pipeline) for job in plan.jobs]

    def evaluate(self, plan: TrainingPlan, results: list[TrainResult]) -> EvaluationReport:
        return evaluate(
            self.pipeline,
            plan=plan,
            results=results,
            store=self.store,
            tracking_uri=self.tracking_uri,
            reports=ReportStore(self.folder / "reports"),
            report_key="run",
        )


def version_record(report: EvaluationReport) -> dict[str, object]:
    model = report.challenger.model
    record = VersionRecord(
        model=report.pipeline,
        version=1,
        digest=model.digest,
        uri=model.uri,
        run_id=model.run_id,
        evidence_digest=report.digest(),
    )
    return signed(record).model_dump(mode="json")


@pytest.mark.parametrize(
    "declared", [toy_models.BINARY, toy_models.MULTICLASS, toy_models.REGRESSION], ids=lambda one: one.task
)
def test_trained_models_of_every_task_are_evaluated_and_meet_the_champion(
    declared: Pipeline, tmp_path: Path, mlflow_server: MlflowServer, client: MlflowClient
) -> None:
    metric = declared.primary_metric.name
    pipeline = declared.model_copy(
        update={"gates": (*declared.gates, ChampionGate(metric=metric, margin=0.2))}
    )
    workplace = Workplace(pipeline, folder=tmp_path, tracking_uri=mlflow_server.uri)

    cold = workplace.plan(seed=1)
    results = workplace.train(cold)
    first = workplace.evaluate(cold, results)
    again = workplace.evaluate(cold, results)
    warm = workplace.plan(seed=2, champion=first)
    second = workplace.evaluate(warm, workplace.train(warm))

    enforce(first)
    assert first.cold_start
    assert first.digest() == again.digest()
    assert len(first.others) == len(declared.candidates) - 1
    assert read_report(client, first.challenger.run_id, digest=first.digest()) == first
    for values in history(client, first.challenger.run_id).values():
        assert len(values) == 1
    assert second.champion is not None
    # Intervals come from resamples in the order of the challenger's scores, so they differ by chance alone.
    former = [(score.metric, score.value) for score in first.challenger.scores]
    assert [(score.metric, score.value) for score in second.champion.scores] == former
    assert second.rows_digest == first.rows_digest
    enforce(second)


def test_a_challenger_that_misses_its_bound_is_refused_with_its_evidence_on_the_server(
    tmp_path: Path, mlflow_server: MlflowServer, client: MlflowClient
) -> None:
    pipeline = toy_models.BINARY.model_copy(
        update={"gates": (AbsoluteGate(metric="roc_auc", minimum=0.999),)}
    )
    workplace = Workplace(pipeline, folder=tmp_path, tracking_uri=mlflow_server.uri)
    plan = workplace.plan(seed=1)

    report = workplace.evaluate(plan, workplace.train(plan))

    stored = read_report(client, report.challenger.run_id)
    with pytest.raises(GateRefusedError, match=r"roc_auc .* does not reach the minimum 0\.999"):
        enforce(stored)
    assert client.get_run(report.challenger.run_id).data.tags[evidence.GATES_TAG] == "refused"
