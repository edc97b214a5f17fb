import math

import pytest

from depth_examples import attribute, fairness, fairness_score, group_rates
from evaluation_examples import evidence
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import FairnessSection, Sections
from mlops_core.gates import FairnessGate
from section_examples import unexamined

STRICT = FairnessGate(measure="equalized_odds_difference", attribute="origin", maximum=0.1)
GATE = STRICT.model_copy(update={"small_groups": "leave_out"})
RATIO = FairnessGate(
    measure="disparate_impact_ratio", attribute="origin", minimum=0.8, small_groups="leave_out"
)


def found(section: FairnessSection) -> Evidence:
    return evidence(sections=Sections.model_construct(fairness=section, unexamined=()))


def test_a_difference_on_the_bound_passes_and_names_the_groups() -> None:
    section = fairness(attribute(fairness_score(0.1, lower=0.05, upper=0.15)))

    [verdict] = judge([GATE], evidence=found(section))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.1, 0.1)
    assert verdict.gate == "equalized_odds_difference over origin at most 0.1"
    assert verdict.evidence == "sections/fairness/origin/equalized_odds_difference"
    assert verdict.reason == (
        "equalized_odds_difference 0.1000 (95 % interval 0.0500 to 0.1500) over 2 groups of origin (EWR, JFK)"
        " stays within the maximum 0.1; too few rows each to compare: LGA (7 rows)"
    )


def test_a_group_that_was_not_compared_is_a_refusal_that_names_it_and_the_ways_out() -> None:
    section = fairness(attribute(fairness_score(0.0)))

    [verdict] = judge([STRICT], evidence=found(section))

    assert not verdict.passed
    assert (verdict.value, verdict.bound) == (0.0, 0.1)
    assert verdict.reason.endswith(
        " stays within the maximum 0.1; not compared, which alone is a refusal: LGA (7 rows); a group takes"
        " 50 rows: hold out more rows, lower evaluation.fairness.minimum_rows, or say"
        " small_groups='leave_out' on the gate"
    )


def test_where_every_group_was_compared_nothing_need_be_left_out() -> None:
    groups = (group_rates("EWR"), group_rates("JFK"))
    section = fairness(attribute(fairness_score(0.1), groups=groups))

    [verdict] = judge([STRICT], evidence=found(section))

    assert verdict.passed
    assert verdict.reason.endswith("stays within the maximum 0.1")


def test_rare_values_that_were_pooled_are_people_who_were_not_compared() -> None:
    pooled = group_rates("(53 rarer values)", rows=120, compared=False)
    groups = (group_rates("EWR"), group_rates("JFK"), pooled)

    [verdict] = judge([STRICT], evidence=found(fairness(attribute(fairness_score(0.0), groups=groups))))

    assert not verdict.passed
    assert "a refusal: (53 rarer values) (120 rows together); a group takes 50 rows" in verdict.reason


def test_a_group_left_out_does_not_hide_a_bound_that_is_missed() -> None:
    [verdict] = judge([STRICT], evidence=found(fairness(attribute(fairness_score(0.3)))))

    assert not verdict.passed
    assert "exceeds the maximum 0.1; not compared" in verdict.reason


def test_many_groups_that_were_not_compared_are_counted() -> None:
    rare = [group_rates(f"X{number}", rows=1, compared=False) for number in range(7)]
    groups = (group_rates("EWR"), group_rates("JFK"), *rare)

    [verdict] = judge([STRICT], evidence=found(fairness(attribute(fairness_score(0.0), groups=groups))))

    assert "X0 (1 row), X1 (1 row), X2 (1 row), X3 (1 row), X4 (1 row) and 2 more; a group" in verdict.reason


def test_a_ratio_on_the_bound_passes() -> None:
    section = fairness(attribute(fairness_score(0.8, measure="disparate_impact_ratio")))

    [verdict] = judge([RATIO], evidence=found(section))

    assert verdict.passed
    assert verdict.gate == "disparate_impact_ratio over origin at least 0.8"
    assert "reaches the minimum 0.8" in verdict.reason


def test_the_worst_class_of_several_is_named() -> None:
    section = fairness(attribute(fairness_score(0.05, of_class="seven")))

    [verdict] = judge([GATE], evidence=found(section))

    assert "equalized_odds_difference of class seven, the worst, 0.0500" in verdict.reason


def test_each_gate_looks_at_its_own_attribute() -> None:
    section = fairness(attribute(fairness_score(0.5), name="carrier"), attribute(fairness_score(0.01)))

    [verdict] = judge([GATE], evidence=found(section))

    assert verdict.passed


ONE_GROUP = attribute(fairness_score(0.0), groups=(group_rates("EWR"), group_rates("JFK", compared=False)))
EMPTY_GROUPS = attribute(fairness_score(0.0), groups=(group_rates("EWR"), group_rates("JFK", rows=0)))
MISSING = attribute(
    missing=(MissingScore(metric=GATE.measure, reason="the group EWR alone has rows enough"),)
)

BAD = {
    "just beyond": (GATE, fairness(attribute(fairness_score(0.1000001))), "0.1000001 (95 % interval"),
    "a ratio just below": (
        RATIO,
        fairness(attribute(fairness_score(0.7999999, measure=RATIO.measure))),
        "does not reach the minimum 0.8",
    ),
    "NaN": (GATE, fairness(attribute(fairness_score(math.nan))), "nan, nan); it must lie in [0, 1]"),
    "a limit of NaN": (
        GATE,
        fairness(attribute(fairness_score(0.0, upper=math.nan))),
        "it must lie in [0, 1]",
    ),
    "infinity": (
        RATIO,
        fairness(attribute(fairness_score(math.inf, measure=RATIO.measure))),
        "it must lie in",
    ),
    "a ratio above one": (RATIO, fairness(attribute(fairness_score(1.2, measure=RATIO.measure))), "[0, 1]"),
    "a difference below zero": (GATE, fairness(attribute(fairness_score(-0.2))), "it must lie in [0, 1]"),
    "another measure alone": (
        GATE,
        fairness(attribute(fairness_score(0.0, measure="demographic_parity_difference"))),
        "there is no equalized_odds_difference over origin: it was never computed",
    ),
    "a missing measure": (GATE, fairness(MISSING), "the group EWR alone has rows enough"),
    "one measure twice": (
        GATE,
        fairness(attribute(fairness_score(0.0), fairness_score(0.9))),
        "there is no equalized_odds_difference over origin",
    ),
    "one group": (GATE, fairness(ONE_GROUP), "1 groups of origin have rows enough"),
    "a group of no rows": (GATE, fairness(EMPTY_GROUPS), "1 groups of origin have rows enough"),
    "no group": (GATE, fairness(attribute(fairness_score(0.0), groups=())), "0 groups of origin"),
    "another attribute": (
        GATE,
        fairness(attribute(fairness_score(0.0), name="carrier")),
        "fairness was examined 0 times over 'origin'; examined were 'carrier'",
    ),
    "an attribute twice": (
        GATE,
        fairness(attribute(fairness_score(0.0)), attribute(fairness_score(0.0))),
        "fairness was examined 2 times over 'origin'",
    ),
    "no attribute": (GATE, fairness(), "examined were none"),
    "a gate that has lost its bound": (
        FairnessGate.model_construct(measure=GATE.measure, attribute="origin", minimum=None, maximum=None),
        fairness(attribute(fairness_score(0.0))),
        "the gate has no bound",
    ),
}


@pytest.mark.parametrize(("gate", "section", "words"), BAD.values(), ids=BAD.keys())
def test_a_doubt_or_a_bad_number_is_refused(gate: FairnessGate, section: FairnessSection, words: str) -> None:
    [verdict] = judge([gate], evidence=found(section))

    assert not verdict.passed
    assert words in verdict.reason


def test_a_part_that_was_not_examined_is_refused_with_the_reason() -> None:
    [broken] = judge([GATE], evidence=evidence(sections=unexamined("fairness")))
    [absent] = judge([GATE], evidence=evidence())

    assert not broken.passed
    assert broken.reason == "fairness was not examined: EvaluationError: it broke"
    assert not absent.passed
    assert absent.reason == "fairness was not examined: evaluation.fairness is not declared"


def test_a_report_of_no_rows_is_refused() -> None:
    section = Sections.model_construct(fairness=fairness(attribute(fairness_score(0.0))), unexamined=())

    [verdict] = judge([GATE], evidence=evidence(holdout_rows=0, sections=section))

    assert not verdict.passed
    assert "no held-out row was scored" in verdict.reason
