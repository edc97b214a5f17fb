"""Score all candidates and the champion on the same held-out rows, and let the gates judge the best one."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.evaluation.catalogue import Metric
from mlops_core.evaluation.evidence import log_evidence, read_report
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.holdout import HeldOutRows, read_holdout
from mlops_core.evaluation.measurement import Attempt, Measurement, attempt, compare, measure
from mlops_core.evaluation.page import render
from mlops_core.evaluation.report import CandidateEvaluation, ChampionEvaluation, EvaluationReport
from mlops_core.evaluation.tables import calibration, confusion_matrix
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import load_model
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore, safe_key
from mlops_core.tracking import tracking_client
from mlops_core.training.job import TrainingPlan, TrainResult

__all__ = ["evaluate", "page_path", "read_report"]

REPORT_KIND = "evaluation"
PAGE_NAME = "report.html"

log = logging.getLogger(__name__)


class _ChampionRecord(BaseModel):
    """What is needed of the ledger's version record, which this layer does not import."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int
    run_id: str
    uri: str
    digest: str

    @property
    def model(self) -> ModelRecord:
        model_id = self.uri.rpartition("/")[2]
        return ModelRecord(run_id=self.run_id, model_id=model_id, uri=self.uri, digest=self.digest)


class _Measured(NamedTuple):
    result: TrainResult
    measurement: Measurement


def evaluate(
    pipeline: Pipeline,
    *,
    plan: TrainingPlan,
    results: Sequence[TrainResult],
    store: SnapshotStore,
    tracking_uri: str,
    reports: ReportStore,
    report_key: str,
) -> EvaluationReport:
    """Judge the best candidate on the held-out rows, and keep the evidence.

    The rows are read once and every model is given the same ones. The best candidate by the primary metric is
    the challenger. The report and its page are written to the challenger's MLflow run under the report's
    digest, the scores to every candidate's run, and the page to the report store. A repeated call writes the
    same again.

    Parameters
    ----------
    plan
        Names the snapshot, the split and the champion.
    results
        Of the train jobs, at least one.
    report_key
        Names the page in the report store, for example an operation key.

    Returns
    -------
    The report, whether or not its gates passed: ``gates.enforce`` raises where they did not.

    Raises
    ------
    DeclarationError
        If plan, results and pipeline do not belong together.
    EmptySampleError
        If no held-out row has a target.
    UntrustedModelError
        If a stored model, also the champion, differs from its digest.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    ordered = _in_plan_order(results, plan=plan, pipeline=pipeline)
    champion = _champion_of(plan)
    rows = read_holdout(pipeline, snapshot=plan.snapshot, split=plan.split, store=store)
    rows_digest = rows.digest()
    models = [result.model for result in ordered] + ([] if champion is None else [champion.model])
    attempts = [_attempt(model, pipeline=pipeline, rows=rows, tracking_uri=tracking_uri) for model in models]
    measurements = measure(attempts, task=pipeline.task, policy=pipeline.evaluation, seed=pipeline.seed)
    ranked = _best_first(
        [_Measured(*pair) for pair in zip(ordered, measurements, strict=False)], pipeline.primary_metric
    )
    report = _report(
        pipeline,
        plan=plan,
        rows=rows,
        rows_digest=rows_digest,
        ranked=ranked,
        champion=None if champion is None else (champion, measurements[-1]),
    )
    page = render(report)
    log_evidence(tracking_client(tracking_uri), report, page=page)
    reports.write(pipeline=pipeline.name, kind=REPORT_KIND, key=report_key, name=PAGE_NAME, content=page)
    log.info("candidate %s %s", report.challenger.candidate, "passed" if report.passed else "is refused")
    return report


def page_path(pipeline: str, *, report_key: str) -> str:
    """Return where ``evaluate`` puts its page, relative to the report store."""
    return f"{pipeline}/{REPORT_KIND}/{safe_key(report_key)}/{PAGE_NAME}"


def _in_plan_order(
    results: Sequence[TrainResult], *, plan: TrainingPlan, pipeline: Pipeline
) -> list[TrainResult]:
    """Return the results as the plan lists their jobs, whatever order they finished in."""
    if plan.pipeline != pipeline.name:
        raise DeclarationError(f"the plan is for pipeline {plan.pipeline!r}, given was {pipeline.name!r}")
    planned = [job.candidate for job in plan.jobs]
    trained = [result.candidate for result in results]
    if not trained:
        raise DeclarationError(f"no train result to evaluate; the plan has jobs for {', '.join(planned)}")
    strangers = sorted(set(trained) - set(planned))
    if strangers:
        raise DeclarationError(
            f"train results of {', '.join(strangers)} are not in the plan; it has {', '.join(planned)}"
        )
    if len(set(trained)) < len(trained):
        raise DeclarationError(f"two train results of one candidate: {', '.join(trained)}; give one each")
    return sorted(results, key=lambda result: planned.index(result.candidate))


def _champion_of(plan: TrainingPlan) -> _ChampionRecord | None:
    if plan.champion is None:
        return None
    try:
        return _ChampionRecord.model_validate(plan.champion)
    except ValidationError as error:
        raise EvaluationError(f"the plan's champion is no version record: {error}") from error


def _attempt(record: ModelRecord, *, pipeline: Pipeline, rows: HeldOutRows, tracking_uri: str) -> Attempt:
    return attempt(load_model(record, tracking_uri=tracking_uri), rows=rows, task=pipeline.task)


def _best_first(measured: Sequence[_Measured], metric: Metric) -> list[_Measured]:
    """Sort by the metric, models without it last; of equals the first in the plan comes first."""

    def badness(one: _Measured) -> tuple[bool, float]:
        value = one.measurement.value(metric)
        return value is None, 0.0 if value is None else -metric.improvement(value, over=0.0)

    return sorted(measured, key=badness)


def _report(
    pipeline: Pipeline,
    *,
    plan: TrainingPlan,
    rows: HeldOutRows,
    rows_digest: str,
    ranked: Sequence[_Measured],
    champion: tuple[_ChampionRecord, Measurement] | None,
) -> EvaluationReport:
    confidence = pipeline.evaluation.confidence
    challenger, *others = [_candidate(one) for one in ranked]
    rival = None if champion is None else _champion(*champion)
    differences = (
        () if champion is None else compare(ranked[0].measurement, champion[1], confidence=confidence)
    )
    evidence = Evidence(
        challenger=challenger,
        champion=rival,
        differences=differences,
        holdout_rows=len(rows.truth),
        rows_digest=rows_digest,
        confidence=confidence,
    )
    return EvaluationReport(
        pipeline=pipeline.name,
        task=pipeline.task,
        snapshot=plan.snapshot,
        split=plan.split,
        holdout_rows=len(rows.truth),
        dropped_rows=rows.dropped,
        rows_digest=rows_digest,
        primary_metric=pipeline.primary_metric.name,
        challenger=challenger,
        others=tuple(others),
        champion=rival,
        differences=differences,
        verdicts=judge(pipeline.gates, evidence=evidence),
        generation=plan.generation,
        seed=pipeline.seed,
        resamples=pipeline.evaluation.resamples,
        confidence=confidence,
    )


def _candidate(measured: _Measured) -> CandidateEvaluation:
    result, measurement = measured
    outcome = measurement.attempt.outcome
    return CandidateEvaluation(
        candidate=result.candidate,
        run_id=result.run_id,
        model=result.model,
        rows_digest=measurement.attempt.rows_digest,
        scores=measurement.scores,
        missing=measurement.missing,
        confusion_matrix=None if outcome is None else confusion_matrix(outcome),
        calibration=() if outcome is None else calibration(outcome),
    )


def _champion(record: _ChampionRecord, measurement: Measurement) -> ChampionEvaluation:
    outcome = measurement.attempt.outcome
    return ChampionEvaluation(
        version=record.version,
        model=record.model,
        rows_digest=measurement.attempt.rows_digest,
        scores=measurement.scores,
        missing=measurement.missing,
        confusion_matrix=None if outcome is None else confusion_matrix(outcome),
        calibration=() if outcome is None else calibration(outcome),
    )
