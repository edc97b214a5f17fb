"""Who meets on the held-out rows: the candidates, best first, and the champion."""

from collections.abc import Sequence
from typing import NamedTuple

from mlops_core.evaluation.catalogue import Metric
from mlops_core.evaluation.judges.evidence import Evidence
from mlops_core.evaluation.measurement import Measurement, compare_best
from mlops_core.evaluation.report import CandidateEvaluation, ChampionEvaluation
from mlops_core.evaluation.sections import Sections
from mlops_core.evaluation.tables import calibration, confusion_matrix
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import Pipeline
from mlops_core.training.job import TrainResult


class Contestant(NamedTuple):
    """One candidate, measured."""

    result: TrainResult
    model: LoadedModel
    measurement: Measurement


class Rival(NamedTuple):
    """The champion, measured on the same rows."""

    version: int
    record: ModelRecord
    model: LoadedModel
    measurement: Measurement


def best_first(contestants: Sequence[Contestant], metric: Metric) -> list[Contestant]:
    """Sort by the metric, models without it last; of equals the first stays first."""

    def badness(one: Contestant) -> tuple[bool, float]:
        value = one.measurement.value(metric)
        return value is None, 0.0 if value is None else -metric.improvement(value, over=0.0)

    return sorted(contestants, key=badness)


def evidence_of(
    pipeline: Pipeline,
    *,
    ranked: Sequence[Contestant],
    rival: Rival | None,
    holdout_rows: int,
    rows_digest: str,
    sections: Sections,
) -> Evidence:
    """Set the best candidate beside the champion, for the gates."""
    policy = pipeline.evaluation
    comparison, differences = (
        (None, ())
        if rival is None
        else compare_best(
            ranked[0].measurement,
            rival.measurement,
            candidates=len(ranked),
            task=pipeline.task,
            policy=policy,
            seed=pipeline.seed,
        )
    )
    return Evidence(
        challenger=candidate_evaluation(ranked[0]),
        champion=None if rival is None else _champion_evaluation(rival),
        differences=differences,
        holdout_rows=holdout_rows,
        rows_digest=rows_digest,
        confidence=policy.confidence,
        comparison=comparison,
        sections=sections,
    )


def candidate_evaluation(contestant: Contestant) -> CandidateEvaluation:
    """Return what the report says of one candidate."""
    result, _, measurement = contestant
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


def _champion_evaluation(rival: Rival) -> ChampionEvaluation:
    outcome = rival.measurement.attempt.outcome
    return ChampionEvaluation(
        version=rival.version,
        model=rival.record,
        rows_digest=rival.measurement.attempt.rows_digest,
        scores=rival.measurement.scores,
        missing=rival.measurement.missing,
        confusion_matrix=None if outcome is None else confusion_matrix(outcome),
        calibration=() if outcome is None else calibration(outcome),
    )
