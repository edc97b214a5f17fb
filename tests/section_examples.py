"""Sections of an evaluation with planted numbers, not validated, so that they may hold what none may."""

from typing import Any

from mlops_core.evaluation.sections import (
    FeaturePower,
    LeakageSection,
    Part,
    PerturbedScore,
    ReplayedWindow,
    ReplaySection,
    RobustnessSection,
    Sections,
    ServingSection,
    Skew,
    UnexaminedPart,
)


def serving(**changes: Any) -> ServingSection:
    fields = {
        "requests": 200,
        "rows_a_request": 1,
        "p50_ms": 5.0,
        "p95_ms": 8.0,
        "p99_ms": 9.0,
        "load_seconds": 2.0,
        "peak_memory_mb": 300.0,
        "size_bytes": 2_000_000,
        "skew": skew(),
        **changes,
    }
    return ServingSection.model_construct(**fields)


def skew(**changes: Any) -> Skew:
    return Skew.model_construct(**{"rows": 5, "largest_difference": 0.0, "differing_labels": 0, **changes})


def perturbed(
    loss: float, *, value: float = 0.7, metric: str = "roc_auc", name: str = "noise"
) -> PerturbedScore:
    return PerturbedScore.model_construct(perturbation=name, metric=metric, value=value, loss=loss)


def robustness(*scores: PerturbedScore, **changes: Any) -> RobustnessSection:
    return RobustnessSection.model_construct(**{"rows": 1000, "scores": scores, "missing": (), **changes})


def leakage(*powers: float, **changes: Any) -> LeakageSection:
    fields = {
        "rows": 1000,
        "powers": tuple(
            FeaturePower.model_construct(feature=f"x{number}", power=power)
            for number, power in enumerate(powers)
        ),
        "holdout_rows": 1000,
        "overlapping_rows": 0,
        "overlap": 0.0,
        **changes,
    }
    return LeakageSection.model_construct(**fields)


def window(**changes: Any) -> ReplayedWindow:
    fields = {
        "partition": "2013-01",
        "version": 3,
        "rows": 100,
        "disagreeing_rows": 5,
        "mean_change": 0.02,
        **changes,
    }
    return ReplayedWindow.model_construct(**fields)


def replay(*windows: ReplayedWindow, **changes: Any) -> ReplaySection:
    return ReplaySection.model_construct(**{"windows": windows, "disagreement": 0.05, **changes})


def unexamined(part: Part, *, reason: str = "EvaluationError: it broke") -> Sections:
    return Sections(unexamined=(UnexaminedPart(part=part, reason=reason),))
