import math

import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import Sections
from mlops_core.gates import RobustnessGate
from section_examples import perturbed, robustness, unexamined

GATE = RobustnessGate(metric="roc_auc", maximum_loss=0.25)


def test_the_greatest_loss_on_the_bound_passes_and_is_named() -> None:
    section = robustness(perturbed(0.1), perturbed(0.25, name="shift"), perturbed(-0.3, name="missing"))

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(robustness=section)))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.25, 0.25)
    assert verdict.evidence == "sections/robustness/shift/roc_auc"
    assert "roc_auc loses most under shift: it is 0.7000 there, a loss of +0.2500" in verdict.reason


def test_losses_of_other_metrics_do_not_count() -> None:
    section = robustness(perturbed(0.1), perturbed(0.9, metric="accuracy"))

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(robustness=section)))

    assert verdict.passed


def missing(metric: str) -> MissingScore:
    return MissingScore(metric=f"{metric} under shift", reason="undefined: one class")


def test_a_missing_score_of_another_metric_does_not_count() -> None:
    section = robustness(perturbed(0.1), missing=(missing("roc_auc_of_another_kind"),))

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(robustness=section)))

    assert verdict.passed


BAD = {
    "just beyond": (robustness(perturbed(0.2500001)), "a loss of +0.2500001, which exceeds the maximum 0.25"),
    "one perturbation of several": (
        robustness(perturbed(0.0), perturbed(0.3, name="shift"), perturbed(0.1, name="missing")),
        "roc_auc loses most under shift",
    ),
    "a loss of NaN": (
        robustness(perturbed(0.1), perturbed(math.nan)),
        "the loss of roc_auc under noise is nan",
    ),
    "a value of NaN": (robustness(perturbed(0.1, value=math.nan)), "roc_auc under noise is nan"),
    "a value out of range": (robustness(perturbed(0.1, value=1.5)), "is 1.5, outside [0, 1]"),
    "a perturbation without a score": (
        robustness(perturbed(0.1), missing=(missing("roc_auc"),)),
        "there is no roc_auc under shift: undefined: one class",
    ),
    "no score": (robustness(), "roc_auc was scored under no perturbation"),
    "scores of another metric alone": (
        robustness(perturbed(0.1, metric="accuracy")),
        "roc_auc was scored under no perturbation",
    ),
    "no row": (robustness(perturbed(0.1), rows=0), "no perturbed row was scored"),
}


@pytest.mark.parametrize(("section", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(section: object, reason: str) -> None:
    sections = Sections.model_construct(robustness=section)

    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sections", "reason"),
    [(Sections(), "is not declared"), (unexamined("robustness"), "EvaluationError: it broke")],
)
def test_a_missing_part_is_a_refusal(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert verdict.reason.startswith("robustness was not examined: ")
    assert reason in verdict.reason
