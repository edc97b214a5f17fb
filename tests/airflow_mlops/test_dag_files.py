"""The project's own DAG files, as the DAG processor sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
DAG_FILES = sorted((PROJECT / "dags").glob("*.py"))


@pytest.fixture(scope="module")
def parsed(parse: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return parse(PROJECT / "dags", python_path=PROJECT / "include")


def test_every_dag_file_imports(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}
    assert parsed["dags"], "the folder holds no DAG"


def test_no_dag_file_imports_a_machine_learning_library(parsed: dict[str, Any]) -> None:
    assert parsed["heavy"] == []


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_a_few_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 30


def test_every_model_has_its_four_dags(parsed: dict[str, Any]) -> None:
    models = [
        file.parent.name
        for file in (PROJECT / "include").glob("*/pipeline.py")
        if file.parent.name != "mlops_core"
    ]
    assert models
    for model in models:
        assert {f"{model}__{stage}" for stage in ("ingest", "train", "score", "monitor")} <= set(
            parsed["dags"]
        )
