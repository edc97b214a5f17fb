"""Gates, what is examined, and the risk must fit together; a mistake names its field and the way out."""

from typing import Any

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Pipeline
from mlops_core.policies import REQUIRED_GATES
from toy_models import BINARY, REGRESSION

AUC = {"kind": "absolute", "metric": "roc_auc", "minimum": 0.6}
EXAMINED: dict[str, Any] = {
    "slices": {"columns": ["colour"]},
    "fairness": {"sensitive": ["colour"]},
    "robustness": {},
    "serving": {},
    "leakage": {},
    "replay": {},
}
GATES: dict[str, dict[str, Any]] = {
    "champion": {"metric": "roc_auc", "margin": 0.01},
    "slice": {"metric": "roc_auc", "minimum": 0.5},
    "fairness": {"measure": "disparate_impact_ratio", "attribute": "colour", "minimum": 0.8},
    "calibration": {"maximum": 0.1},
    "latency": {"maximum_ms": 50},
    "size": {"maximum_mb": 10},
    "robustness": {"metric": "roc_auc", "maximum_loss": 0.1},
    "leakage": {},
    "skew": {},
    "replay": {"maximum_disagreement": 0.5},
    "custom": {"name": "own", "check": "toy_models:load"},
}


def gate(kind: str, **changes: Any) -> dict[str, Any]:
    return {"kind": kind, **GATES[kind], **changes}


def declare(pipeline: Pipeline = BINARY, **changes: Any) -> Pipeline:
    return Pipeline(**{**pipeline.model_dump(mode="json"), **changes})


def refusal(pipeline: Pipeline = BINARY, **changes: Any) -> str:
    with pytest.raises(DeclarationError) as refused:
        declare(pipeline, **changes)
    return str(refused.value)


def test_every_kind_of_gate_can_be_declared_beside_what_measures_it() -> None:
    pipeline = declare(gates=[AUC, *map(gate, GATES)], evaluation=EXAMINED)

    assert [one.kind for one in pipeline.gates] == ["absolute", *GATES]
    assert pipeline.primary_metric.name == "roc_auc"


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no gate that ranks": (
        {"gates": [gate("size")], "evaluation": EXAMINED},
        "gates: one absolute or champion gate is needed; its metric ranks the candidates (got none)",
    ),
    "a slice gate without slices": (
        {"gates": [AUC, gate("slice")]},
        "gates.1: a slice gate judges what evaluation.slices measures; declare it too",
    ),
    "a slice gate on another column": (
        {"gates": [AUC, gate("slice", columns=["size"])], "evaluation": EXAMINED},
        "gates.1.columns: evaluation.slices.columns has 'colour' (got ['size'])",
    ),
    "a slice gate with two bounds": (
        {"gates": [AUC, gate("slice", margin=0.1)], "evaluation": EXAMINED},
        "give one bound: minimum, maximum or margin",
    ),
    "a slice gate on the wrong side": (
        {"gates": [AUC, gate("slice", minimum=None, maximum=0.9)], "evaluation": EXAMINED},
        "gates.1.maximum: roc_auc is better when it is more, so the gate needs a minimum (got a maximum)",
    ),
    "fairness of a column that is not sensitive": (
        {"gates": [AUC, gate("fairness", attribute="member")], "evaluation": EXAMINED},
        "gates.1.attribute: evaluation.fairness.sensitive has 'colour' (got 'member')",
    ),
    "a difference with a minimum": (
        {"gates": [AUC, gate("fairness", measure="equalized_odds_difference")], "evaluation": EXAMINED},
        "equalized_odds_difference needs a maximum, and no other bound",
    ),
    "a latency gate that nobody measures": (
        {"gates": [AUC, gate("latency")]},
        "gates.1: a latency gate judges what evaluation.serving measures; declare it too",
    ),
    "a robustness gate on an unknown metric": (
        {"gates": [AUC, gate("robustness", metric="acu")], "evaluation": EXAMINED},
        "gates.1.metric: unknown metric 'acu'",
    ),
    "a medium risk without its gates": (
        {"risk": "medium"},
        "gates: a medium risk needs the kinds champion, leakage, skew too",
    ),
    "a high risk without approvers": (
        {
            "risk": "high",
            "gates": [AUC, *map(gate, sorted(REQUIRED_GATES["high"]))],
            "evaluation": EXAMINED,
        },
        "approval.approvers: a high risk needs named approvers (got none)",
    ),
    "a confidence that the best of several cannot have": (
        {"evaluation": {"confidence": 0.9999}},
        "evaluation.confidence: the best of 2 candidates would be compared with the champion by 400,000"
        " resamples, at most 100,000 are drawn; lower the confidence, or declare fewer candidates"
        " (got 0.9999)",
    ),
    "approvers that nobody asks": (
        {"approval": {"approvers": ["ada"]}},
        "approval.approvers: a low risk is promoted without approval; declare risk='medium' or 'high'",
    ),
}


@pytest.mark.parametrize(("changes", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_does_not_fit_is_named_with_the_way_out(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(**changes)


def test_of_a_regression_neither_calibration_nor_fairness_is_asked() -> None:
    mae = {"kind": "absolute", "metric": "mae", "maximum": 3}
    fitting = [mae, gate("leakage"), gate("skew"), gate("champion", metric="mae")]
    fitting += [gate("slice", metric="mae", minimum=None, margin=0.1), gate("robustness", metric="mae")]
    examined = {name: part for name, part in EXAMINED.items() if name != "fairness"}

    pipeline = declare(
        REGRESSION, risk="high", gates=fitting, evaluation=examined, approval={"approvers": ["ada"]}
    )

    assert pipeline.risk == "high"
    assert "calibration is of probabilities" in refusal(REGRESSION, gates=[mae, gate("calibration")])
    assert "a regression makes none" in refusal(REGRESSION, gates=[mae], evaluation=EXAMINED)


def test_one_candidate_may_be_compared_with_any_confidence() -> None:
    [first, *_] = BINARY.model_dump(mode="json")["candidates"]

    assert declare(candidates=[first], evaluation={"confidence": 0.9999}).evaluation.confidence == 0.9999
