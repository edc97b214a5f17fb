"""The stages of a model's life, one after the other, each called as its operator calls it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_core.cli.check.workshop import Workshop, thin_out
from mlops_core.data.ingest import StagedPartition, load_partition
from mlops_core.data.snapshots import PublishedPartition
from mlops_core.data.validation import validate_partition
from mlops_core.evaluation.evaluate import evaluate
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.monitoring.monitor import watch
from mlops_core.monitoring.policy import decide
from mlops_core.pipeline import ChampionGate, Pipeline
from mlops_core.planning import TrainingRequest, plan_training
from mlops_core.registry.promotion import promote
from mlops_core.registry.register import register
from mlops_core.scoring.batch import ScoredPartition, score_partition
from mlops_core.training.job import TrainingPlan, TrainJob, TrainResult
from mlops_core.training.train import train

if TYPE_CHECKING:
    from mlops_core.evaluation.report import EvaluationReport
    from mlops_core.registry.records import VersionRecord

_ACTOR = "mlops check"


class Verdict(StrEnum):
    """How a stage went. A note is worth reading and no failure."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class StageResult:
    """One stage of the rehearsal."""

    stage: str
    verdict: Verdict
    result: str
    seconds: float = 0.0
    error: Exception | None = None


@dataclass
class Rehearsal:
    """Takes one pipeline through its stages on a sample; what a stage makes is kept for the next ones."""

    pipeline: Pipeline
    reference: str
    workshop: Workshop
    partitions: tuple[str, ...]
    rows: int
    _staged: list[StagedPartition] = field(default_factory=list, init=False)
    _published: list[PublishedPartition] = field(default_factory=list, init=False)
    _results: list[TrainResult] = field(default_factory=list, init=False)
    _made: dict[str, Any] = field(default_factory=dict, init=False)

    def stages(self) -> Iterator[StageResult]:
        """Run every stage; after one that failed the others are not run."""
        failed = False
        for name, run in self._all():
            if failed:
                yield StageResult(name, Verdict.NOT_RUN, "")
                continue
            began = time.perf_counter()
            try:
                verdict, result, error = *run(), None
            except Exception as caught:  # noqa: BLE001  whatever a user's function raises is a result here
                verdict, result, error = Verdict.FAILED, "", caught
                failed = True
            yield StageResult(name, verdict, result, time.perf_counter() - began, error)

    def _all(self) -> Iterator[tuple[str, Callable[[], tuple[Verdict, str]]]]:
        yield "load", self._load
        yield "validate", self._validate
        yield "publish", self._publish
        yield "plan", self._plan
        for candidate in self.pipeline.candidates:
            yield f"train {candidate.name}", partial(self._train, candidate.name)
        yield "evaluate", self._evaluate
        yield "gate", self._judge
        yield "register", self._register
        yield "promote", self._promote
        yield "score", self._score
        yield "monitor", self._watch

    def _load(self) -> tuple[Verdict, str]:
        for partition in self.partitions:
            staged = load_partition(self.pipeline, partition=partition, store=self.workshop.store)
            self._staged.append(staged)
        rows = sum(staged.rows for staged in self._staged)
        return Verdict.OK, f"{rows:,} rows of {', '.join(self.partitions)}"

    def _validate(self) -> tuple[Verdict, str]:
        warnings: list[str] = []
        expectations = 0
        for staged in self._staged:
            result = validate_partition(
                self.pipeline, staged=staged, store=self.workshop.store, reports=self.workshop.reports
            )
            result.require_success()
            expectations = result.expectations
            warnings += [f"{staged.partition}: {warning}" for warning in result.warnings]
        if warnings:
            return Verdict.NOTE, f"{expectations} expectations; warnings: {'; '.join(warnings)[:300]}"
        return Verdict.OK, f"{expectations} expectations met"

    def _publish(self) -> tuple[Verdict, str]:
        """Publish a sample: validation has seen whole partitions, the rest is quick with a few rows."""
        store = self.workshop.store
        for staged in self._staged:
            sample = thin_out(store.read_staged(staged), rows=self.rows)
            self._published.append(store.write_partition(self.pipeline.name, staged.partition, sample))
        rows = sum(published.rows for published in self._published)
        return Verdict.OK, f"a sample of {rows:,} rows as a snapshot of {len(self._published)} partitions"

    def _plan(self) -> tuple[Verdict, str]:
        plan = plan_training(
            self.pipeline,
            request=TrainingRequest(requested_by="person", actor=_ACTOR),
            reference=self.reference,
            store=self.workshop.store,
            ledger=self.workshop.ledger,
            tracking_uri=self.workshop.tracking_uri,
            operation_key="check/plan",
        )
        self._made["plan"] = plan
        trained, held_out = plan.split.training_partitions, plan.split.holdout_partitions
        return Verdict.OK, f"train on {', '.join(trained)}; held out: {', '.join(held_out)}"

    def _train(self, candidate: str) -> tuple[Verdict, str]:
        plan: TrainingPlan = self._made["plan"]
        job: TrainJob = next(job for job in plan.jobs if job.candidate == candidate)
        result = train(job.rehearsed(), pipeline=self.pipeline)
        self._results.append(result)
        return Verdict.OK, f"{result.rows:,} rows fitted in {result.fit_seconds:.1f} s"

    def _evaluate(self) -> tuple[Verdict, str]:
        # A gate may well refuse what was fitted on a sample; the stages after it must be tried all the same.
        # The champion gate lets the first version through, and the declared gates are judged apart.
        lenient = ChampionGate(metric=self.pipeline.primary_metric.name)
        report = evaluate(
            self.pipeline.model_copy(update={"gates": (lenient,)}),
            plan=self._made["plan"],
            results=self._results,
            store=self.workshop.store,
            tracking_uri=self.workshop.tracking_uri,
            reports=self.workshop.reports,
            report_key="check",
        )
        self._made["report"] = report
        score = report.challenger.score(report.primary_metric)
        value = "no score" if score is None else f"{score.value:.4f}"
        best = f"best: {report.challenger.candidate}, {report.primary_metric} {value}"
        return Verdict.OK, f"{best} on {report.holdout_rows:,} held-out rows"

    def _judge(self) -> tuple[Verdict, str]:
        report: EvaluationReport = self._made["report"]
        evidence = Evidence(
            challenger=report.challenger,
            champion=report.champion,
            differences=report.differences,
            holdout_rows=report.holdout_rows,
            rows_digest=report.rows_digest,
            confidence=report.confidence,
            comparison=report.comparison,
            sections=report.sections,
        )
        verdicts = judge(self.pipeline.gates, evidence=evidence)
        refusals = [verdict.reason for verdict in verdicts if not verdict.passed]
        if refusals:
            return Verdict.NOTE, f"would refuse a model of this sample: {'; '.join(refusals)}"
        return Verdict.OK, f"all {len(verdicts)} pass on the sample"

    def _register(self) -> tuple[Verdict, str]:
        version = register(
            self._made["report"],
            ledger=self.workshop.ledger,
            tracking_uri=self.workshop.tracking_uri,
            operation_key="check/register",
            actor=_ACTOR,
        )
        self._made["version"] = version
        return Verdict.OK, f"version {version.version}, digest {version.digest[:12]}"

    def _promote(self) -> tuple[Verdict, str]:
        transition = promote(
            self._made["version"],
            report=self._made["report"],
            operation_key="check/promote",
            actor=_ACTOR,
            reason="rehearsal",
            ledger=self.workshop.ledger,
            tracking_uri=self.workshop.tracking_uri,
        )
        return Verdict.OK, f"generation {transition.generation}"

    def _score(self) -> tuple[Verdict, str]:
        version: VersionRecord = self._made["version"]
        scored = score_partition(
            self.pipeline,
            published=self._published[-1],
            version=version,
            store=self.workshop.store,
            tracking_uri=self.workshop.tracking_uri,
        )
        self._made["scored"] = scored
        return Verdict.OK, f"{scored.rows:,} rows of {scored.partition}"

    def _watch(self) -> tuple[Verdict, str]:
        scored: ScoredPartition = self._made["scored"]
        report = watch(
            self.pipeline,
            scored=scored,
            store=self.workshop.store,
            tracking_uri=self.workshop.tracking_uri,
            reports=self.workshop.reports,
            report_key="check",
        )
        decision = decide(
            self.pipeline,
            report=report,
            ledger=self.workshop.ledger,
            store=self.workshop.store,
            operation_key="check/decide",
            now=datetime.now(UTC),
        )
        return Verdict.OK, f"{decision.answer}: {'; '.join(decision.reasons)}"
