"""Parts are examined where they are declared; one that fails is named and the others go on."""

import sys
from types import ModuleType
from typing import Any

import pytest

from mlops_core.errors import RegistryUnavailableError
from mlops_core.evaluation.examination import Finding, examine, unexaminable
from mlops_core.evaluation.sections import ReplaySection
from mlops_core.pipeline import EvaluationPolicy, LeakagePolicy, Pipeline, ReplayPolicy
from toy_models import BINARY


class Examined:
    """What a part sees of an examination, here the declaration alone."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


def declared(**parts: Any) -> Pipeline:
    return BINARY.model_copy(update={"evaluation": EvaluationPolicy(**parts)})


def plant(monkeypatch: pytest.MonkeyPatch, part: str, measure: Any) -> None:
    name = f"mlops_core.evaluation.parts.{part}"
    module = ModuleType(name)
    module.measure = measure  # type: ignore[attr-defined]  # a module has what one gives it
    monkeypatch.setitem(sys.modules, name, module)


def test_nothing_is_examined_that_is_not_declared() -> None:
    depth = examine(Examined(declared()))  # type: ignore[arg-type]  # no part looks at it

    assert depth.sections.model_dump(exclude={"unexamined"}, exclude_none=True) == {}
    assert depth.sections.unexamined == ()


def test_a_part_that_fails_is_named_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Finding:
        raise ZeroDivisionError("no rows")

    plant(monkeypatch, "leakage", fail)
    plant(
        monkeypatch, "replay", lambda _: Finding(document=ReplaySection(), files={"changes.svg": b"<svg/>"})
    )

    depth = examine(Examined(declared(leakage=LeakagePolicy(), replay=ReplayPolicy())))  # type: ignore[arg-type]

    assert depth.sections.leakage is None
    assert depth.sections.why_unexamined("leakage") == "ZeroDivisionError: no rows"
    assert depth.sections.replay == ReplaySection()
    assert depth.files == {"replay/changes.svg": b"<svg/>"}


def test_a_server_that_is_away_is_no_verdict_on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(_: object) -> Finding:
        raise RegistryUnavailableError("away")

    plant(monkeypatch, "leakage", be_away)

    with pytest.raises(RegistryUnavailableError):
        examine(Examined(declared(leakage=LeakagePolicy())))  # type: ignore[arg-type]


def test_of_a_model_that_cannot_score_every_declared_part_is_missing() -> None:
    depth = unexaminable(declared(leakage=LeakagePolicy()), reason="it raises")

    assert [(missing.part, missing.reason) for missing in depth.sections.unexamined] == [
        ("leakage", "it raises")
    ]
    assert depth.sections.why_unexamined("slices") == "evaluation.slices is not declared"
