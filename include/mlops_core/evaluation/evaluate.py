"""Score all candidates and the champion on the same held-out rows, and let the gates judge the best one."""

import logging
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.evaluation.contest import (
    Contestant,
    Rival,
    best_first,
    candidate_evaluation,
    evidence_of,
)
from mlops_core.evaluation.evidence import log_evidence, read_report
from mlops_core.evaluation.examination import Depth, Examination, ExaminedModel, examine, unexaminable
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.holdout import HeldOutRows, read_holdout
from mlops_core.evaluation.measurement import Measurement, attempt, measure
from mlops_core.evaluation.page import render
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import load_model
from mlops_core.models.trust import TrustedCode
from mlops_core.models.version import load_version
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore
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

    The rows are read once and every model is given a copy of its own. The best candidate by the primary
    metric is the challenger; what the pipeline declares beside the scores is examined of it alone. The report
    and its page are written to the challenger's MLflow run under the report's digest, the scores to every
    candidate's run, and the page to the report store. A repeated call writes the same again.

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
        If a stored model differs from its digest, or names or holds what the pipeline does not declare, or if
        the champion differs from what was signed.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    ordered = _in_plan_order(results, plan=plan, pipeline=pipeline)
    champion = _champion_of(plan)
    rows = read_holdout(pipeline, snapshot=plan.snapshot, split=plan.split, store=store)
    rows_digest = rows.digest()
    # Whoever fitted them could write their files, so these are not asked what to trust.
    declared = TrustedCode.declared_by(pipeline)
    models = [load_model(result.model, tracking_uri=tracking_uri, trusted=declared) for result in ordered]
    if champion is not None:
        models.append(load_version(champion, tracking_uri=tracking_uri))
    attempts = [attempt(model, rows=rows, task=pipeline.task) for model in models]
    measurements = measure(attempts, task=pipeline.task, policy=pipeline.evaluation, seed=pipeline.seed)
    ranked = best_first(
        [Contestant(*one) for one in zip(ordered, models, measurements, strict=False)],
        pipeline.primary_metric,
    )
    rival = (
        None if champion is None else Rival(champion.version, champion.stored, models[-1], measurements[-1])
    )
    depth = _examine(
        pipeline, plan=plan, rows=rows, best=ranked[0], rival=rival, store=store, tracking_uri=tracking_uri
    )
    evidence = evidence_of(
        pipeline,
        ranked=ranked,
        rival=rival,
        holdout_rows=len(rows.truth),
        rows_digest=rows_digest,
        sections=depth.sections,
    )
    report = _report(
        pipeline,
        plan=plan,
        rows=rows,
        evidence=evidence,
        others=ranked[1:],
        holdout_uses=1 + former_uses(rows_digest),
    )
    page = render(report, files=depth.files)
    log_evidence(tracking_client(tracking_uri), report, page=page, files=depth.files)
    reports.write(pipeline=pipeline.name, kind=REPORT_KIND, key=report_key, name=PAGE_NAME, content=page)
    log.info("candidate %s %s", report.challenger.candidate, "passed" if report.passed else "is refused")
    return report


def page_path(pipeline: str, *, report_key: str) -> str:
    """Return where ``evaluate`` puts its page, relative to the report store."""
    return ReportStore.relative_path(pipeline=pipeline, kind=REPORT_KIND, key=report_key, name=PAGE_NAME)


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
    best: Contestant,
    rival: Rival | None,
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
            champion=None if rival is None else _examined(rival.record, rival.model, rival.measurement),
            store=store,
            tracking_uri=tracking_uri,
        )
    )


def _examined(record: ModelRecord, model: LoadedModel, measurement: Measurement) -> ExaminedModel | None:
    outcome = measurement.attempt.outcome
    return None if outcome is None else ExaminedModel(record=record, model=model, outcome=outcome)


def _report(
    pipeline: Pipeline,
    *,
    plan: TrainingPlan,
    rows: HeldOutRows,
    evidence: Evidence,
    others: Sequence[Contestant],
    holdout_uses: int,
) -> EvaluationReport:
    return EvaluationReport(
        pipeline=pipeline.name,
        task=pipeline.task,
        snapshot=plan.snapshot,
        split=plan.split,
        holdout_rows=evidence.holdout_rows,
        dropped_rows=rows.dropped,
        rows_digest=evidence.rows_digest,
        primary_metric=pipeline.primary_metric.name,
        challenger=evidence.challenger,
        others=tuple(candidate_evaluation(one) for one in others),
        champion=evidence.champion,
        differences=tuple(evidence.differences),
        comparison=evidence.comparison,
        sections=evidence.sections,
        verdicts=judge(pipeline.gates, evidence=evidence),
        risk=pipeline.risk,
        holdout_uses=holdout_uses,
        holdout_uses_warning=pipeline.evaluation.holdout_uses,
        generation=plan.generation,
        seed=pipeline.seed,
        resamples=pipeline.evaluation.resamples,
        confidence=evidence.confidence,
    )
