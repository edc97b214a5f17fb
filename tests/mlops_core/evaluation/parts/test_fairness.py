import numpy as np
import pytest
from fairlearn import metrics

from depth_examples import outcome_of, planted_examination
from evaluation_examples import BINARY, MULTICLASS, REGRESSION, evidence
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.gates import judge
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.parts import fairness
from mlops_core.evaluation.sections import AttributeFairness, FairnessSection, Sections
from mlops_core.pipeline import EvaluationPolicy, FairnessGate, FairnessPolicy

# A line is a truth, decision, how many of EWR, how many of JFK.
KINDS = np.array([[1, 1, 30, 20], [1, 0, 10, 20], [0, 1, 15, 10], [0, 0, 45, 50]])
GROUPS = ("EWR", "JFK")


def by_hand() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [
        (truth, decision, GROUPS[place])
        for truth, decision, *counts in KINDS.tolist()
        for place, count in enumerate(counts)
        for _ in range(count)
    ]
    truth, decision, group = zip(*rows, strict=True)
    return np.array(truth), np.array(decision), np.array(group, dtype=object)


def declared(*sensitive: str, minimum_rows: int = 50) -> EvaluationPolicy:
    return EvaluationPolicy(
        resamples=200, fairness=FairnessPolicy(sensitive=sensitive, minimum_rows=minimum_rows)
    )


def measured(outcome: Outcome, origin: np.ndarray, **changes: object) -> AttributeFairness:
    policy = changes.pop("policy", declared("origin"))
    columns = {"origin": origin, "x": np.zeros(len(origin))}
    section = fairness.measure(
        planted_examination(columns, policy, outcome, features=["x"], **changes)
    ).document
    return section.attributes[0]


def test_rates_and_measures_equal_those_by_hand() -> None:
    truth, decision, group = by_hand()

    found = measured(outcome_of(BINARY, truth, decision * 0.8 + 0.1), group)

    rates = {one.group: one for one in found.groups}
    assert (rates["EWR"].rows, rates["JFK"].rows) == (100, 100)
    assert rates["EWR"].selection_rate == pytest.approx(0.45)
    assert rates["JFK"].selection_rate == pytest.approx(0.30)
    assert (rates["EWR"].true_positive_rate, rates["JFK"].true_positive_rate) == (0.75, 0.5)
    assert rates["EWR"].false_positive_rate == pytest.approx(15 / 60)
    assert rates["JFK"].false_positive_rate == pytest.approx(10 / 60)
    scores = {score.measure: score for score in found.scores}
    assert scores["demographic_parity_difference"].value == pytest.approx(0.15)
    assert scores["disparate_impact_ratio"].value == pytest.approx(0.30 / 0.45)
    assert scores["equal_opportunity_difference"].value == pytest.approx(0.25)
    assert scores["equalized_odds_difference"].value == pytest.approx(0.25)
    assert all(score.lower < score.value < score.upper for score in found.scores)
    assert (found.rates_of, found.missing) == ("late", ())


def test_a_small_group_is_named_and_left_out_of_every_measure() -> None:
    truth, decision, group = by_hand()
    outcome = outcome_of(BINARY, [*truth, *[1] * 20], [*(decision * 0.8 + 0.1), *[0.9] * 20])

    found = measured(outcome, np.array([*group, *["LGA"] * 20], dtype=object))

    assert [(one.group, one.rows, one.compared) for one in found.groups] == [
        ("EWR", 100, True),
        ("JFK", 100, True),
        ("LGA", 20, False),
    ]
    assert found.groups[2].selection_rate == 1.0
    assert found.groups[2].false_positive_rate is None
    assert {score.measure: score.value for score in found.scores}[
        "demographic_parity_difference"
    ] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (
            ["EWR"] * 150 + ["JFK"] * 50,
            "the group EWR alone has rows enough to be compared; a comparison takes two",
        ),
        ([f"v{number}" for number in range(200)], "no group has rows enough"),
    ],
    ids=["one", "none"],
)
def test_fewer_than_two_compared_groups_leave_every_measure_missing(groups: list[str], words: str) -> None:
    truth, decision, _ = by_hand()
    policy = declared("origin", minimum_rows=100)

    found = measured(outcome_of(BINARY, truth, decision * 1.0), np.array(groups, dtype=object), policy=policy)

    assert found.scores == ()
    assert len(found.missing) == 4
    assert all(words in absent.reason for absent in found.missing)


def test_a_group_with_too_few_positives_for_every_resample_leaves_odds_missing() -> None:
    truth, decision, group = by_hand()
    truth = np.where(group == "JFK", 0, truth)
    truth[np.flatnonzero(group == "JFK")[0]] = 1

    found = measured(outcome_of(BINARY, truth, decision * 1.0), group)

    reasons = {absent.metric: absent.reason for absent in found.missing}
    assert set(reasons) == {"equal_opportunity_difference", "equalized_odds_difference"}
    assert all("of 200 bootstrap resamples" in reason for reason in reasons.values())
    assert {score.measure for score in found.scores} == {
        "demographic_parity_difference",
        "disparate_impact_ratio",
    }


def test_the_worst_class_of_several_decides() -> None:
    random = np.random.default_rng(0)
    truth, group = random.integers(3, size=900), random.choice(np.array(GROUPS, dtype=object), size=900)
    scores = np.eye(3)[np.where((group == "JFK") & (truth == 2) & (random.random(900) < 0.6), 0, truth)]
    outcome = outcome_of(MULTICLASS, truth, scores * 0.9 + 0.1 / 3)

    found = measured(outcome, group)

    by_measure = {score.measure: score for score in found.scores}
    odds = by_measure["equalized_odds_difference"]
    expected = [
        metrics.equalized_odds_difference(truth == number, outcome.labels == number, sensitive_features=group)
        for number in range(3)
    ]
    assert odds.value == pytest.approx(max(expected))
    assert odds.of_class == "c"
    ratio = by_measure["disparate_impact_ratio"]
    assert ratio.of_class == "c"
    assert ratio.value == pytest.approx(
        metrics.demographic_parity_ratio(truth == 2, outcome.labels == 2, sensitive_features=group)
    )
    assert found.rates_of == by_measure["demographic_parity_difference"].of_class


def test_many_numbers_are_compared_by_quartile_and_a_gap_is_a_group() -> None:
    truth, decision, _ = by_hand()
    ages = np.arange(200.0)
    ages[150:] = np.nan

    found = measured(
        outcome_of(BINARY, truth, decision * 1.0), ages, policy=declared("origin", minimum_rows=10)
    )

    assert [one.group for one in found.groups] == [
        "up to 37",
        "above 37, up to 74",
        "above 74, up to 112",
        "above 112",
        "(missing)",
    ]


def test_rare_values_together_are_no_group_to_compare() -> None:
    truth, decision, _ = by_hand()
    groups = np.array([*["EWR"] * 50, *["JFK"] * 50, *(f"v{number}" for number in range(100))], dtype=object)

    found = measured(outcome_of(BINARY, truth, decision * 1.0), groups)

    assert [one.group for one in found.groups if one.compared] == ["EWR", "JFK"]
    assert found.groups[-1].group == "(53 rarer values)"
    assert found.groups[-1].rows == 53
    assert found.scores


def test_every_value_of_enough_rows_is_compared_however_many_there_are() -> None:
    random = np.random.default_rng(0)
    truth, group = random.integers(2, size=3600), np.repeat([f"c{number:02}" for number in range(60)], 60)
    # Nobody of the last ones, of equals the first to be pooled, is ever chosen.
    decision = np.where(group >= "c55", 0, truth)

    found = measured(outcome_of(BINARY, truth, decision * 1.0), group.astype(object))

    assert [one.group for one in found.groups if one.compared] == sorted(set(group))
    assert {score.measure: score.value for score in found.scores}["disparate_impact_ratio"] == 0


def test_the_champion_is_compared_too() -> None:
    truth, decision, group = by_hand()
    fair = outcome_of(BINARY, truth, truth * 1.0)

    found = measured(outcome_of(BINARY, truth, decision * 1.0), group, champion=fair)

    former = {score.measure: score.value for score in found.champion_scores}
    assert former["equal_opportunity_difference"] == 0


def test_the_same_seed_measures_the_same() -> None:
    truth, decision, group = by_hand()
    outcome = outcome_of(BINARY, truth, decision * 1.0)

    one, other, another = (measured(outcome, group, seed=seed).model_dump_json() for seed in (0, 0, 1))

    assert one == other
    assert one != another


def test_an_unknown_attribute_is_refused() -> None:
    truth, decision, group = by_hand()

    with pytest.raises(
        EvaluationError, match=r"fairness.sensitive: the held-out rows lack 'gender'; they have origin, x"
    ):
        measured(outcome_of(BINARY, truth, decision * 1.0), group, policy=declared("gender"))


def test_a_regression_makes_no_decisions() -> None:
    policy = EvaluationPolicy()
    examination = planted_examination({"x": [1.0, 2.0]}, policy, outcome_of(REGRESSION, [1, 2], [1, 2]))

    with pytest.raises(EvaluationError, match="a regression makes none"):
        fairness.measure(examination)


def odds_judged(outcome: Outcome, origin: np.ndarray, **changes: object) -> tuple[bool, str]:
    gate = FairnessGate(measure="equal_opportunity_difference", attribute="origin", maximum=0.1, **changes)
    section = FairnessSection(attributes=(measured(outcome, origin),), minimum_rows=50)
    [verdict] = judge([gate], evidence=evidence(sections=Sections(fairness=section)))
    return verdict.passed, verdict.reason


@pytest.mark.parametrize("small", ["LGA", None], ids=["a value", "no value"])
def test_a_small_group_that_never_gets_its_due_is_no_reason_to_pass(small: str | None) -> None:
    truth = np.tile([1, 0], 225)[:449]
    origin = np.array(["EWR"] * 200 + ["JFK"] * 200 + [small] * 49, dtype=object)
    # The two large groups are alike, and of the small one nobody is found.
    decision = np.where(np.arange(449) < 400, truth, 0)
    outcome = outcome_of(BINARY, truth, decision * 1.0)

    passed, reason = odds_judged(outcome, origin)

    assert not passed
    assert f"not compared, which alone is a refusal: {small or '(missing)'} (49 rows)" in reason
    assert odds_judged(outcome, origin, small_groups="leave_out")[0]
