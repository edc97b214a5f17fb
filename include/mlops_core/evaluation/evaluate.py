"""Score all candidates and the champion on the same held-out rows, and let the gates judge the best one."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.evaluation.catalogue import Metric
from mlops_core.evaluation.evidence import log_evidence, read_report
from mlops_core.evaluation.examination import Depth, Examination, ExaminedModel, examine, unexaminable
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.holdout import HeldOutRows, read_holdout
from mlops_core.evaluation.measurement import Measurement, attempt, compare, measure
from mlops_core.evaluation.page import render
from mlops_core.evaluation.report import CandidateEvaluation, ChampionEvaluation, EvaluationReport
from mlops_core.evaluation.tables import calibration, confusion_matrix
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import load_model
from mlops_core.models.version import load_version
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore, safe_key
from mlops_core.signing import Signature
from mlops_core.tracking import tracking_client
from mlops_core.training.job import TrainingPlan, TrainResult

__all__ = ["evaluate", "page_path", "read_report"]

REPORT_KIND = "evaluation"
PAGE_NAME = "report.html"

log = logging.getLogger(__name__)


class _ChampionRecord(BaseModel):
    """What is needed of the ledger's version record, which this layer does not import."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    version: int
    run_id: str
    uri: str
    digest: str
    evidence_digest: str | None
    signature: Signature | None

    @property
    def stored(self) -> ModelRecord:
        model_id = self.uri.rpartition("/")[2]
        return ModelRecord(run_id=self.run_id, model_id=model_id, uri=self.uri, digest=self.digest)


class _Measured(NamedTuple):
    result: TrainResult
    model: LoadedModel
    measurement: Measurement


class _Rival(NamedTuple):
    record: _ChampionRecord
    model: LoadedModel
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
    former_uses: Callable[[str], int] = lambda _: 0,
) -> EvaluationReport:
    """Judge the best candidate on the held-out rows, and keep the evidence.

    The rows are read once and every model is given the same ones. The best candidate by the primary metric is
    the challenger; what the pipeline declares beside the scores is examined of it alone. The report and its
    page are written to the challenger's MLflow run under the report's digest, the scores to every candidate's
    run, and the page to the report store. A repeated call writes the same again.

    Parameters
    ----------
    plan
        Names the snapshot, the split and the champion.
    results
        Of the train jobs, at least one.
    report_key
        Names the page in the report store, for example an operation key.
    former_uses
        Told the digest of the held-out rows, says how many decisions were made on them before.

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
        If a stored model differs from its digest, or the champion from what was signed.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    ordered = _in_plan_order(results, plan=plan, pipeline=pipeline)
    champion = _champion_of(plan)
    rows = read_holdout(pipeline, snapshot=plan.snapshot, split=plan.split, store=store)
    rows_digest = rows.digest()
    models = [load_model(result.model, tracking_uri=tracking_uri) for result in ordered]
    if champion is not None:
        models.append(load_version(champion, tracking_uri=tracking_uri))
    attempts = [attempt(model, rows=rows, task=pipeline.task) for model in models]
    measurements = measure(attempts, task=pipeline.task, policy=pipeline.evaluation, seed=pipeline.seed)
    ranked = _best_first(
        [_Measured(*one) for one in zip(ordered, models, measurements, strict=False)], pipeline.primary_metric
    )
    rival = None if champion is None else _Rival(champion, models[-1], measurements[-1])
    depth = _examine(
        pipeline, plan=plan, rows=rows, best=ranked[0], rival=rival, store=store, tracking_uri=tracking_uri
    )
    report = _report(
        pipeline,
        plan=plan,
        rows=rows,
        rows_digest=rows_digest,
        ranked=ranked,
        rival=rival,
        depth=depth,
        holdout_uses=1 + former_uses(rows_digest),
    )
    page = render(report, files=depth.files)
    log_evidence(tracking_client(tracking_uri), report, page=page, files=depth.files)
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


def _examine(
    pipeline: Pipeline,
    *,
    plan: TrainingPlan,
    rows: HeldOutRows,
    best: _Measured,
    rival: _Rival | None,
    store: SnapshotStore,
    tracking_uri: str,
) -> Depth:
    challenger = _examined(best.result.model, best.model, best.measurement)
    if challenger is None:
        return unexaminable(pipeline, reason=best.measurement.attempt.problem)
    return examine(
        Examination(
            pipeline=pipeline,
            plan=plan,
            rows=rows,
            challenger=challenger,
            champion=None
            if rival is None
            else _examined(rival.record.stored, rival.model, rival.measurement),
            store=store,
            tracking_uri=tracking_uri,
        )
    )


def _examined(record: ModelRecord, model: LoadedModel, measurement: Measurement) -> ExaminedModel | None:
    outcome = measurement.attempt.outcome
    return None if outcome is None else ExaminedModel(record=record, model=model, outcome=outcome)


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
    rival: _Rival | None,
    depth: Depth,
    holdout_uses: int,
) -> EvaluationReport:
    confidence = pipeline.evaluation.confidence
    challenger, *others = [_candidate(one) for one in ranked]
    champion = None if rival is None else _champion(rival)
    differences = (
        () if rival is None else compare(ranked[0].measurement, rival.measurement, confidence=confidence)
    )
    evidence = Evidence(
        challenger=challenger,
        champion=champion,
        differences=differences,
        holdout_rows=len(rows.truth),
        rows_digest=rows_digest,
        confidence=confidence,
        sections=depth.sections,
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
        champion=champion,
        differences=differences,
        sections=depth.sections,
        verdicts=judge(pipeline.gates, evidence=evidence),
        risk=pipeline.risk,
        holdout_uses=holdout_uses,
        holdout_uses_warning=pipeline.evaluation.holdout_uses,
        generation=plan.generation,
        seed=pipeline.seed,
        resamples=pipeline.evaluation.resamples,
        confidence=confidence,
    )


def _candidate(measured: _Measured) -> CandidateEvaluation:
    result, _, measurement = measured
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


def _champion(rival: _Rival) -> ChampionEvaluation:
    record, _, measurement = rival
    outcome = measurement.attempt.outcome
    return ChampionEvaluation(
        version=record.version,
        model=record.stored,
        rows_digest=measurement.attempt.rows_digest,
        scores=measurement.scores,
        missing=measurement.missing,
        confusion_matrix=None if outcome is None else confusion_matrix(outcome),
        calibration=() if outcome is None else calibration(outcome),
    )
