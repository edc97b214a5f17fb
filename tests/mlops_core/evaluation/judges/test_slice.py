import math

import pytest

from depth_examples import one_slice, slice_score, slices
from evaluation_examples import champion, evidence, score
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import Sections, SliceEvaluation
from mlops_core.gates import SliceGate
from section_examples import unexamined

AT_LEAST = SliceGate(metric="roc_auc", minimum=0.7)
OF_ORIGIN = SliceGate(metric="roc_auc", minimum=0.7, columns=("origin",))
AT_MOST = SliceGate(metric="log_loss", maximum=0.5)
WITHIN = SliceGate(metric="roc_auc", margin=0.25)
WITHIN_LOSS = SliceGate(metric="log_loss", margin=0.25)


def found(*evaluations: SliceEvaluation, rival: bool = False, minimum_rows: int = 100) -> Evidence:
    section = slices(*evaluations, minimum_rows=minimum_rows)
    return evidence(
        sections=Sections.model_construct(slices=section, unexamined=()),
        champion=champion(score(0.8)) if rival else None,
    )


def against(value: float, former: float, *, metric: str = "roc_auc") -> SliceEvaluation:
    return one_slice(
        "origin = EWR",
        scores=(slice_score(value, metric=metric),),
        champion_scores=(slice_score(former, metric=metric),),
    )


def test_the_worst_slice_on_the_bound_passes_and_is_named() -> None:
    [verdict] = judge([AT_LEAST], evidence=found(one_slice("origin = EWR"), one_slice("origin = JFK", 0.7)))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.7, 0.7)
    assert verdict.gate == "roc_auc on every slice at least 0.7"
    assert verdict.metric == "roc_auc by slice"
    assert verdict.evidence == "sections/slices/origin = JFK/roc_auc"
    assert verdict.reason == (
        "roc_auc reaches the minimum 0.7 on all 2 slices; the worst is origin = JFK with 0.7000"
    )


def test_a_loss_on_the_bound_passes() -> None:
    slice_ = one_slice("origin = EWR", scores=(slice_score(0.5, metric="log_loss"),))

    [verdict] = judge([AT_MOST], evidence=found(slice_))

    assert verdict.passed
    assert "stays within the maximum 0.5" in verdict.reason


def test_slices_that_were_searched_for_or_are_small_are_not_judged() -> None:
    evaluations = (
        one_slice("origin = EWR"),
        one_slice("origin = JFK", 0.1, rows=99),
        one_slice("origin = LGA", 0.1, found=True),
    )

    [verdict] = judge([AT_LEAST], evidence=found(*evaluations))

    assert verdict.passed
    assert "on all 1 slices" in verdict.reason


def test_slices_of_other_columns_are_not_judged() -> None:
    [verdict] = judge([OF_ORIGIN], evidence=found(one_slice("origin = EWR"), one_slice("carrier = HA", 0.1)))

    assert verdict.passed
    assert verdict.gate == "roc_auc on every slice of origin at least 0.7"


@pytest.mark.parametrize(
    ("gate", "slice_"),
    [(WITHIN, against(0.5, 0.75)), (WITHIN_LOSS, against(0.75, 0.5, metric="log_loss"))],
    ids=["more is better", "less is better"],
)
def test_a_slice_that_loses_just_the_margin_passes(gate: SliceGate, slice_: SliceEvaluation) -> None:
    [verdict] = judge([gate], evidence=found(slice_, rival=True))

    assert verdict.passed
    assert "is not worse than the champion's by more than 0.25 on all 1 slices" in verdict.reason


def test_the_cold_start_passes_a_margin_and_says_so() -> None:
    [verdict] = judge([WITHIN], evidence=found(one_slice("origin = EWR")))

    assert verdict.passed
    assert verdict.reason == "no champion yet: cold start; roc_auc of 1 slices is compared with nothing"


def test_the_failing_slices_are_named_worst_first() -> None:
    evaluations = [one_slice(f"origin = {number}", 0.1 * number) for number in range(7)]

    [verdict] = judge([AT_LEAST], evidence=found(*evaluations, one_slice("origin = EWR")))

    assert not verdict.passed
    assert (verdict.value, verdict.bound) == (0.0, 0.7)
    assert verdict.reason == (
        "roc_auc does not reach the minimum 0.7 on 7 of 8 slices: origin = 0 with 0, origin = 1 with 0.1000,"
        " origin = 2 with 0.2000, origin = 3 with 0.3000, origin = 4 with 0.4000 and 2 more"
    )


NOT_MEASURED = one_slice("origin = EWR", None, missing=(MissingScore(metric="roc_auc", reason="one class"),))

BAD = {
    "just beyond": (AT_LEAST, found(one_slice("origin = EWR", 0.6999999)), "origin = EWR with 0.6999999"),
    "a loss just beyond": (
        AT_MOST,
        found(one_slice("origin = EWR", scores=(slice_score(0.5000001, metric="log_loss"),))),
        "exceeds the maximum 0.5",
    ),
    "more than the margin": (
        WITHIN,
        found(against(0.4999999, 0.75), rival=True),
        "is worse than the champion's by more than 0.25 on 1 of 1 slices: origin = EWR with",
    ),
    "more loss than the margin": (
        WITHIN_LOSS,
        found(against(0.7500001, 0.5, metric="log_loss"), rival=True),
        "against 0.5000",
    ),
    "NaN": (AT_LEAST, found(one_slice("origin = EWR", math.nan)), "on the slice origin = EWR is nan"),
    "infinity": (AT_LEAST, found(one_slice("origin = EWR", math.inf)), "a finite number in [0, 1]"),
    "a score out of range": (AT_LEAST, found(one_slice("origin = EWR", 1.2)), "is 1.2"),
    "a champion's NaN": (WITHIN, found(against(0.8, math.nan), rival=True), "roc_auc of the champion on"),
    "a champion without a score": (
        WITHIN,
        found(one_slice("origin = EWR"), rival=True),
        "the champion has no roc_auc on the slice origin = EWR: it was never computed",
    ),
    "NaN at the cold start": (WITHIN, found(one_slice("origin = EWR", math.nan)), "is nan"),
    "a slice without a score": (AT_LEAST, found(NOT_MEASURED), "on the slice origin = EWR: one class"),
    "no slice": (AT_LEAST, found(), "no slice was examined"),
    "no slice of the column": (
        OF_ORIGIN,
        found(one_slice("carrier = HA")),
        "no slice of 'origin' was examined; examined were carrier",
    ),
    "a found slice of the column alone": (
        OF_ORIGIN,
        found(one_slice("origin = EWR", found=True)),
        "no slice of 'origin' was examined; examined were none",
    ),
    "small slices alone": (
        AT_LEAST,
        found(one_slice("origin = EWR", rows=99)),
        "no slice of 'origin' has 100 rows",
    ),
    "one column of small slices alone": (
        AT_LEAST,
        found(one_slice("carrier = HA"), one_slice("origin = EWR", rows=99)),
        "no slice of 'origin' has 100 rows",
    ),
    "slices of no rows": (
        AT_LEAST,
        found(one_slice("origin = EWR", rows=0), minimum_rows=0),
        "no slice of 'origin' has 0 rows",
    ),
    "a part that broke": (
        AT_LEAST,
        evidence(sections=unexamined("slices")),
        "slices was not examined: EvaluationError: it broke",
    ),
    "a part that was not declared": (AT_LEAST, evidence(), "evaluation.slices is not declared"),
    "no rows": (AT_LEAST, evidence(holdout_rows=0), "no held-out row was scored"),
}


@pytest.mark.parametrize(("gate", "planted", "words"), BAD.values(), ids=BAD.keys())
def test_a_doubt_or_a_bad_number_is_refused(gate: SliceGate, planted: Evidence, words: str) -> None:
    [verdict] = judge([gate], evidence=planted)

    assert not verdict.passed
    assert words in verdict.reason
