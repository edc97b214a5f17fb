import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from mlops_core.cli.check import command, rendered
from mlops_core.cli.check.command import check
from mlops_core.cli.check.rendered import RenderedDags
from mlops_core.errors import DeclarationError

# No servers, but whole lives of models and other processes: seconds each.
pytestmark = pytest.mark.integration

GOOD = ("2013-01", "2013-02")


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a check changes in its process belongs to the process; here it must be put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(
        command, "render_dags", lambda model, **_: RenderedDags({f"{model}__train": ("plan", "train")})
    )
    with warnings.catch_warnings():
        yield
    logging.disable(logging.NOTSET)


def run(model: str, *partitions: str) -> tuple[bool, str]:
    shown = io.StringIO()
    good = check(model, partitions=partitions, rows=150, console=Console(file=shown, width=300))
    return good, shown.getvalue()


def verdicts(shown: str) -> dict[str, str]:
    lines = [line.split() for line in shown.splitlines()]
    stages = ("load", "validate", "publish", "plan", "evaluate", "gate", "register", "promote", "score")
    return {words[0]: words[1] for words in lines if len(words) > 1 and words[0] in (*stages, "monitor")}


def test_a_good_model_passes_every_stage_without_leaving_anything_behind(tmp_path: Path) -> None:
    good, shown = run("life_models:LIFE", *GOOD)

    assert good, shown
    found = verdicts(shown)
    assert found.pop("gate") in {"ok", "note"}
    assert set(found.values()) == {"ok"}
    assert len(found) == 9
    assert "life__train  plan → train" in shown
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_users_function_is_shown_with_its_name_and_line() -> None:
    good, shown = run("life_models:MISTAKEN", *GOOD)

    assert not good
    assert "train mistake failed in fit_with_a_mistake (" in shown
    assert "life_models.py:" in shown
    assert "return features.no_such_method(target, seed)" in shown
    assert "AttributeError" in shown
    assert "Traceback" not in shown
    assert verdicts(shown)["score"] == "not"


def test_a_partition_that_validation_refuses_fails_the_check() -> None:
    good, shown = run("life_models:LIFE", "2013-01", "missing-1")

    assert not good
    assert "column 'amount'" in shown
    assert verdicts(shown)["publish"] == "not"


def test_too_few_partitions_say_how_to_name_more() -> None:
    with pytest.raises(DeclarationError, match=r"needs 2 partitions .* --partition"):
        run("life_models:LIFE", "2013-01")


def test_a_model_without_a_dag_file_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "render_dags", lambda *_, **__: RenderedDags({}, "no DAG file"))

    good, shown = run("life_models:MISTAKEN", *GOOD)

    assert not good
    assert "no DAGs: no DAG file" in shown


def test_the_dags_of_a_model_are_listed_by_airflow_itself(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "two.py").write_text(
        "from airflow.sdk import DAG\n"
        "one = DAG('life__train', schedule=None)\n"
        "two = DAG('other__train', schedule=None)\n"
    )

    found = rendered.render_dags("life", reference="life_models:LIFE", dags_folder=tmp_path / "dags")

    assert found.problem is None
    assert dict(found.tasks) == {"life__train": ()}


def test_a_model_that_no_file_renders_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()

    found = rendered.render_dags("life", reference="life_models:LIFE", dags_folder=tmp_path / "dags")

    assert found.problem is not None
    assert "pipeline_dags('life_models:LIFE')" in found.problem
