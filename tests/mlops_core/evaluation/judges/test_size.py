import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.sections import Sections
from mlops_core.gates import SizeGate
from section_examples import serving, unexamined

GATE = SizeGate(maximum_mb=2.0)


def test_a_size_on_the_bound_passes_with_its_numbers() -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=Sections(serving=serving())))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (2.0, 2.0)
    assert verdict.reason == "the model's files have 2 MB, which stays within the maximum 2 MB"


BAD = {
    "one byte beyond": (Sections(serving=serving(size_bytes=2_000_001)), "2.000001 MB, which exceeds"),
    "no byte": (Sections(serving=serving(size_bytes=0)), "the model's size in bytes is 0, outside [1, inf]"),
    "not declared": (Sections(), "serving was not examined: evaluation.serving is not declared"),
    "not examined": (unexamined("serving"), "serving was not examined: EvaluationError: it broke"),
}


@pytest.mark.parametrize(("sections", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason
