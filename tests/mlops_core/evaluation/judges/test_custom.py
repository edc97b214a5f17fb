import math
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from evaluation_examples import evidence
from mlops_core.evaluation.gates import judge
from mlops_core.gates import CustomAnswer, CustomGate


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of one's own, whose function ``check`` a test writes."""
    module = ModuleType("gate_of_ones_own")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def gate(**parameters: Any) -> CustomGate:
    # Not validated: the declaration looks for the module's source, and this one has none.
    return CustomGate.model_construct(
        kind="custom", name="night_flights", check="gate_of_ones_own:check", parameters=parameters
    )


def test_its_function_gets_the_report_as_json_and_its_parameters(checks: ModuleType) -> None:
    def check(report: dict[str, Any], *, least: float) -> dict[str, Any]:
        value = report["challenger"]["scores"][0]["value"]
        return {"passed": value >= least, "reason": f"{value} >= {least}", "value": value, "bound": least}

    checks.check = check

    [good, bad] = judge([gate(least=0.8), gate(least=0.81)], evidence=evidence())

    assert (good.passed, good.value, good.bound, good.reason) == (True, 0.8, 0.8, "0.8 >= 0.8")
    assert not bad.passed
    assert (good.gate, good.metric) == ("night_flights by gate_of_ones_own:check", "night_flights")


def test_an_answer_document_will_do(checks: ModuleType) -> None:
    checks.check = lambda report: CustomAnswer(passed=True, reason=f"{len(report)} keys")

    [verdict] = judge([gate()], evidence=evidence())

    assert verdict.passed


def test_what_it_changes_in_the_report_changes_nothing(checks: ModuleType) -> None:
    def check(report: dict[str, Any]) -> dict[str, Any]:
        report.clear()
        return {"passed": True, "reason": "cleared"}

    checks.check = check
    planted = evidence()

    judge([gate()], evidence=planted)

    assert planted.document()["holdout_rows"] == 1000


def fail() -> Any:
    raise KeyError("slices")


def leave() -> Any:
    sys.exit(0)


BAD = {
    "it raises": (fail, "gate_of_ones_own:check raised KeyError: 'slices'"),
    "it ends the process": (leave, "gate_of_ones_own:check raised SystemExit: 0"),
    "it returns nothing": (lambda: None, "returned a NoneType; it must return a CustomAnswer"),
    "it returns a bare yes": (lambda: True, "returned a bool; it must return a CustomAnswer"),
    "it says no": (lambda: {"passed": False, "reason": "too many"}, "too many"),
    "one for yes": (lambda: {"passed": 1, "reason": "ok"}, "passed: Input should be a valid boolean"),
    "a text for yes": (lambda: {"passed": "true", "reason": "ok"}, "passed: Input should be a valid boolean"),
    "numpy's yes": (
        lambda: {"passed": np.bool_(True), "reason": "ok"},
        "passed: Input should be a valid boolean",
    ),
    "no reason": (lambda: {"passed": True}, "reason: Field required"),
    "an empty reason": (lambda: {"passed": True, "reason": ""}, "reason: String should have at least 1"),
    "NaN": (
        lambda: {"passed": True, "reason": "ok", "value": math.nan},
        "value: Input should be a finite number",
    ),
    "an infinite bound": (
        lambda: {"passed": True, "reason": "ok", "bound": math.inf},
        "bound: Input should be a finite number",
    ),
    "an unknown key": (lambda: {"passed": True, "reason": "ok", "score": 1.0}, "score: Extra inputs"),
    "a document that was never validated": (
        lambda: CustomAnswer.model_construct(passed=1, reason="ok"),
        "passed: Input should be a valid boolean",
    ),
}


@pytest.mark.parametrize(("check", "reason"), BAD.values(), ids=BAD.keys())
def test_anything_but_a_yes_is_a_refusal_that_says_why(checks: ModuleType, check: Any, reason: str) -> None:
    checks.check = lambda report: check()  # noqa: ARG005  it looks at nothing

    [verdict] = judge([gate()], evidence=evidence())

    assert not verdict.passed
    assert reason in verdict.reason


def test_a_function_that_is_gone_is_a_refusal(checks: ModuleType) -> None:  # noqa: ARG001  it is empty
    [verdict] = judge([gate()], evidence=evidence())

    assert not verdict.passed
    assert "raised DeclarationError: module 'gate_of_ones_own' has no 'check'" in verdict.reason


def test_a_parameter_that_it_does_not_take_is_a_refusal(checks: ModuleType) -> None:
    checks.check = lambda report: {"passed": True, "reason": str(report)}

    [verdict] = judge([gate(least=1)], evidence=evidence())

    assert not verdict.passed
    assert "raised TypeError" in verdict.reason
