import math

import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.sections import Sections
from mlops_core.gates import LeakageGate
from section_examples import leakage, unexamined

GATE = LeakageGate(maximum_power=0.9, maximum_overlap=0.02)


def test_power_and_overlap_on_their_bounds_pass() -> None:
    section = leakage(0.9, 0.1, overlapping_rows=20, overlap=0.02)

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(leakage=section)))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.9, 0.9)
    assert verdict.evidence == "sections/leakage/powers/x0"


def test_a_refusal_for_the_overlap_shows_the_overlap() -> None:
    section = leakage(0.5, overlapping_rows=21, overlap=0.021)

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(leakage=section)))

    assert not verdict.passed
    assert (verdict.value, verdict.bound, verdict.evidence) == (0.021, 0.02, "sections/leakage/overlap")
    assert "21 of 1,000 held-out rows are in training, above the maximum share 0.02" in verdict.reason


BAD = {
    "just beyond": (leakage(0.1, 0.9000001), "x1 alone explains the target with a power of 0.9000001, above"),
    "a power of NaN beside others": (leakage(0.1, math.nan), "the power of x1 is nan"),
    "a power above one": (leakage(1.5), "the power of x0 is 1.5, outside [0, 1]"),
    "no feature": (leakage(), "no feature was tried"),
    "no training row": (leakage(0.1, rows=0), "no feature was tried on a training row"),
    "no held-out row": (leakage(0.1, holdout_rows=0), "no held-out row was looked for"),
    "an overlap of NaN": (leakage(0.1, overlap=math.nan), "the overlap is nan"),
    "an overlap that is not its count": (
        leakage(0.1, overlapping_rows=500),
        "the overlap 0 is not 500 of 1000 rows",
    ),
}


@pytest.mark.parametrize(("section", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(section: object, reason: str) -> None:
    sections = Sections.model_construct(leakage=section)

    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sections", "reason"),
    [(Sections(), "is not declared"), (unexamined("leakage"), "EvaluationError: it broke")],
)
def test_a_missing_part_is_a_refusal(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert verdict.reason.startswith("leakage was not examined: ")
    assert reason in verdict.reason
