"""The listener that imports before the executor forks."""

import importlib
import sys
from types import SimpleNamespace

import pytest
from airflow.jobs.job import Job

from airflow_mlops.listeners import preload


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is not imported yet, as the only one to preload."""
    module = "colorsys"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(preload, "MODULES", (module,))
    return module


def component() -> Job:
    return Job.__new__(Job)


def test_a_component_with_the_switch_imports_the_modules(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(preload.SWITCH, "1")
    preload.on_starting(component())
    assert probe in sys.modules


def test_a_component_without_the_switch_imports_nothing(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(preload.SWITCH, raising=False)
    preload.on_starting(component())
    assert probe not in sys.modules


def test_a_task_process_imports_nothing(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(preload.SWITCH, "1")
    preload.on_starting(SimpleNamespace())
    assert probe not in sys.modules


def test_a_module_that_is_missing_is_named_and_the_others_are_imported(
    probe: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(preload.SWITCH, "1")
    monkeypatch.setattr(preload, "MODULES", ("no_such_module", probe))

    preload.on_starting(component())

    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.getMessage().startswith("cannot preload no_such_module;")
    assert probe in sys.modules


@pytest.mark.parametrize("module", preload.MODULES)
def test_every_preloaded_module_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
