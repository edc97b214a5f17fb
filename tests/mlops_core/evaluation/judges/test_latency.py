import math

import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.sections import Sections
from mlops_core.gates import LatencyGate
from section_examples import serving, unexamined

GATE = LatencyGate(maximum_ms=8.0)


def test_a_quantile_on_the_bound_passes_with_its_numbers() -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=Sections(serving=serving())))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (8.0, 8.0)
    assert (verdict.gate, verdict.metric) == ("p95 latency at most 8 ms", "latency_p95_ms")
    assert verdict.reason == "p95 of 200 requests of 1 row is 8 ms and stays within the maximum 8 ms"
    assert verdict.evidence == "sections/serving/p95_ms"


@pytest.mark.parametrize(("quantile", "value"), [("p50", 5.0), ("p95", 8.0), ("p99", 9.0)])
def test_the_gate_judges_the_quantile_that_it_names(quantile: str, value: float) -> None:
    gate = LatencyGate(maximum_ms=100.0, quantile=quantile)

    [verdict] = judge([gate], evidence=evidence(sections=Sections(serving=serving())))

    assert verdict.value == value


BAD = {
    "just beyond": (
        Sections(serving=serving(p95_ms=8.0000001)),
        "is 8.0000001 ms and exceeds the maximum 8 ms",
    ),
    "NaN": (Sections(serving=serving(p95_ms=math.nan)), "p95 latency in ms is nan"),
    "infinite": (Sections(serving=serving(p95_ms=math.inf)), "p95 latency in ms is inf"),
    "a time below zero": (Sections(serving=serving(p95_ms=-1.0)), "is -1, outside [0, inf]"),
    "no request": (Sections(serving=serving(requests=0)), "no request was timed"),
    "not declared": (Sections(), "serving was not examined: evaluation.serving is not declared"),
    "not examined": (unexamined("serving"), "serving was not examined: EvaluationError: it broke"),
}


@pytest.mark.parametrize(("sections", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason
