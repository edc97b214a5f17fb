"""Gathers a version's card from what was declared, recorded and measured."""

import json
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from mlops_core.artifacts import find_artifact
from mlops_core.cards.approval import approval_of
from mlops_core.cards.documents import (
    CardData,
    CardEnvironment,
    CardFeature,
    CardScore,
    CardTraining,
    ModelCard,
)
from mlops_core.cards.limits import known_limits
from mlops_core.errors import CorruptedDataError, DeclarationError
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.lineage.documents import Origin, PartitionUse
from mlops_core.lineage.origin import read_environment, read_job, read_origin
from mlops_core.pipeline import Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord
from mlops_core.tracking import is_absent, registry_errors, tracking_client
from mlops_core.training.environment import Environment
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.resources import METRIC_PREFIX
from mlops_core.training.run import RESULT_FILE

DECIDING_PACKAGES = (
    "airflow-mlops",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
)
"""Packages whose version can change what a model computes; the run keeps the whole list."""


def build_card(
    pipeline: Pipeline,
    *,
    version: VersionRecord,
    report: EvaluationReport,
    ledger: Ledger,
    tracking_uri: str,
) -> ModelCard:
    """Return the card of a version, from its evidence, its run and the ledger as they are now.

    Nothing in it depends on the clock: the same records give the same card.

    Raises
    ------
    DeclarationError
        If pipeline, version and report do not belong together.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    _check(pipeline, version=version, report=report)
    client = tracking_client(tracking_uri)
    origin, gaps = read_origin(client, version.run_id)
    job, environment = _job_and_environment(client, version.run_id)
    result = _read_result(client, version.run_id, gaps)
    run = _find_run(client, version.run_id, gaps)
    return ModelCard(
        model=version.model,
        version=version.version,
        digest=version.digest,
        uri=version.uri,
        description=pipeline.description,
        owner=pipeline.owner,
        risk=pipeline.risk,
        task=pipeline.task,
        target=pipeline.target,
        features=_features(run, pipeline),
        declared=pipeline.card,
        known_limits=known_limits(report, code=None if environment is None else environment.code),
        data=_data(report, origin=origin, result=result),
        training=_training(report, version=version, job=job, result=result, run=run),
        environment=None if environment is None else _environment(environment),
        primary_metric=report.primary_metric,
        confidence=report.confidence,
        comparison=report.comparison,
        scores=_scores(report),
        missing=report.challenger.missing,
        champion_version=None if report.champion is None else report.champion.version,
        sections=report.sections,
        gates=report.verdicts,
        evidence_digest=report.digest(),
        approval=approval_of(version, generation=report.generation, risk=pipeline.risk, ledger=ledger),
        signature_key=None if version.signature is None else version.signature.key_id,
        gaps=tuple(gaps),
    )


def _check(pipeline: Pipeline, *, version: VersionRecord, report: EvaluationReport) -> None:
    if not pipeline.name == version.model == report.pipeline:
        raise DeclarationError(
            f"a card is of one model: the pipeline is {pipeline.name!r}, the version is of "
            f"{version.model!r}, the report of {report.pipeline!r}"
        )
    if version.evidence_digest != report.digest():
        raise DeclarationError(
            f"version {version.version} of {version.model!r} was registered on the evaluation report "
            f"{version.evidence_digest or 'none'}, given was {report.digest()}; read that one"
        )


def _job_and_environment(client: MlflowClient, run_id: str) -> tuple[TrainJob | None, Environment | None]:
    # Damage is among the origin's gaps already.
    try:
        job = read_job(client, run_id)
    except CorruptedDataError:
        job = None
    try:
        return job, read_environment(client, run_id)
    except CorruptedDataError:
        return job, None


def _read_result(client: MlflowClient, run_id: str, gaps: list[str]) -> TrainResult | None:
    content = find_artifact(client, run_id, RESULT_FILE)
    if content is None:
        gaps.append(f"run {run_id} holds no {RESULT_FILE}")
        return None
    try:
        return TrainResult.model_validate_json(content)
    except ValidationError as error:
        gaps.append(f"{RESULT_FILE} of run {run_id} cannot be read: {error}")
        return None


def _find_run(client: MlflowClient, run_id: str, gaps: list[str]) -> Run | None:
    with registry_errors(f"read run {run_id}"):
        try:
            return client.get_run(run_id)
        except MlflowException as error:
            if not is_absent(error):
                raise
            gaps.append(f"run {run_id} is gone")
            return None


def _features(run: Run | None, pipeline: Pipeline) -> tuple[CardFeature, ...]:
    recorded = {} if run is None else _recorded_types(run)
    names = tuple(recorded) or pipeline.features or ()
    return tuple(CardFeature(name=name, type=recorded.get(name)) for name in names)


def _recorded_types(run: Run) -> Mapping[str, str]:
    """Return the type of each feature as the run's dataset holds it, empty where it holds none."""
    for given in run.inputs.dataset_inputs if run.inputs else ():
        try:
            columns = json.loads(given.dataset.schema)["mlflow_colspec"]
            return {str(column["name"]): str(column["type"]) for column in columns}
        except (KeyError, TypeError, ValueError):
            continue
    return {}


def _data(report: EvaluationReport, *, origin: Origin | None, result: TrainResult | None) -> CardData:
    return CardData(
        snapshot=report.snapshot,
        split_digest=report.split.digest,
        partitions=_named(report) if origin is None else origin.partitions,
        fitted_rows=None if result is None else result.rows,
        holdout_rows=report.holdout_rows,
        dropped_rows=report.dropped_rows,
        holdout_uses=report.holdout_uses,
    )


def _named(report: EvaluationReport) -> tuple[PartitionUse, ...]:
    training = [PartitionUse(partition=key, use="training") for key in report.split.training_partitions]
    holdout = [PartitionUse(partition=key, use="holdout") for key in report.split.holdout_partitions]
    return (*training, *holdout)


def _training(
    report: EvaluationReport,
    *,
    version: VersionRecord,
    job: TrainJob | None,
    result: TrainResult | None,
    run: Run | None,
) -> CardTraining:
    recorded = {} if run is None else run.data.metrics
    return CardTraining(
        candidate=report.challenger.candidate,
        run_id=version.run_id,
        parameters={} if result is None else result.parameters,
        seed=None if job is None else job.seed,
        fit_seconds=None if result is None else result.fit_seconds,
        resources={
            name.removeprefix(METRIC_PREFIX): value
            for name, value in sorted(recorded.items())
            if name.startswith(METRIC_PREFIX)
        },
        tuning=None if result is None else result.tuning,
        cross_validation=None if result is None else result.cross_validation,
        others=tuple(other.candidate for other in report.others),
    )


def _environment(environment: Environment) -> CardEnvironment:
    return CardEnvironment(
        python=environment.python,
        platform=environment.platform,
        cpus=environment.cpus,
        packages={
            name: environment.packages[name] for name in DECIDING_PACKAGES if name in environment.packages
        },
        code=environment.code,
    )


def _scores(report: EvaluationReport) -> tuple[CardScore, ...]:
    """Return the scores, the primary metric's first."""
    differences = {difference.metric: difference for difference in report.differences}
    ordered = sorted(
        report.challenger.scores, key=lambda score: (score.metric != report.primary_metric, score.metric)
    )
    return tuple(
        CardScore(
            score=score,
            champion=None if report.champion is None else report.champion.score(score.metric),
            difference=differences.get(score.metric),
        )
        for score in ordered
    )
