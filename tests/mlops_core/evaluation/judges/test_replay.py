import math

import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.sections import ReplaySection, Sections
from mlops_core.gates import ReplayGate
from section_examples import replay, unexamined, window

GATE = ReplayGate(maximum_disagreement=0.05)


def test_a_disagreement_on_the_bound_passes_with_its_numbers() -> None:
    section = replay(window(), window(partition="2013-02"))

    [verdict] = judge([GATE], evidence=evidence(sections=Sections(replay=section)))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.05, 0.05)
    assert verdict.reason.startswith("on 200 rows of 2013-01, 2013-02 a share of 0.0500 gets a label")


def test_it_passes_where_nothing_was_ever_served() -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=Sections(replay=ReplaySection())))

    assert verdict.passed
    assert verdict.value is None
    assert verdict.reason == "nothing was ever served; there is nothing to replay"


BAD = {
    "just beyond": (replay(window(), disagreement=0.0500001), "0.0500001 gets a label that was not served"),
    "NaN": (replay(window(), disagreement=math.nan), "the disagreement is nan"),
    "no number": (replay(window(), disagreement=None), "the disagreement is None"),
    "more than all": (replay(window(), disagreement=1.5), "is 1.5, outside [0, 1]"),
    "a window without a row": (replay(window(), window(rows=0)), "a replayed window has no row"),
    "a disagreement of no window": (replay(), "a disagreement without a replayed window"),
}


@pytest.mark.parametrize(("section", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(section: object, reason: str) -> None:
    sections = Sections.model_construct(replay=section)

    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sections", "reason"),
    [(Sections(), "is not declared"), (unexamined("replay"), "EvaluationError: it broke")],
)
def test_a_missing_part_is_a_refusal(sections: Sections, reason: str) -> None:
    [verdict] = judge([GATE], evidence=evidence(sections=sections))

    assert not verdict.passed
    assert verdict.reason.startswith("replay was not examined: ")
    assert reason in verdict.reason
