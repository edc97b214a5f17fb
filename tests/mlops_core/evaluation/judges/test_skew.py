import math

import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.sections import Sections
from mlops_core.gates import SkewGate
from section_examples import serving, skew, unexamined

GATE = SkewGate(tolerance=0.25)


@pytest.mark.parametrize("difference", [0.0, 0.25])
def test_a_difference_up_to_the_tolerance_passes(difference: float) -> None:
    sections = Sections(serving=serving(skew=skew(largest_difference=difference)))

    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (difference, 0.25)


def with_skew(**changes: float) -> Sections:
    return Sections(serving=serving(skew=skew(**changes)))


BAD = {
    "just beyond": (with_skew(largest_difference=0.2500001), "0.2500001, which exceeds the tolerance 0.25"),
    "NaN": (with_skew(largest_difference=math.nan), "the largest difference of a score is nan"),
    "below zero": (with_skew(largest_difference=-0.1), "is -0.1, outside [0, inf]"),
    "another label": (with_skew(differing_labels=1), "1 labels differ"),
    "more labels than rows": (with_skew(differing_labels=6), "labels is 6, outside [0, 5]"),
    "no row": (with_skew(rows=0), "no row was scored in both processes"),
    "not declared": (Sections(), "serving was not examined: evaluation.serving is not declared"),
    "not examined": (unexamined("serving"), "serving was not examined: EvaluationError: it broke"),
}


@pytest.mark.parametrize(("sections", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason
