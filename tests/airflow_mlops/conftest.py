"""A model declared for tests, and Airflow parsing DAG files in a fresh process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]

TOY_MODEL = '''
"""A pipeline that parses and is never run."""

from mlops_core.pipeline import AbsoluteGate, Candidate, ChampionGate, Pipeline


def load(partition):
    """Never called."""


def fit(features, target, *, seed):
    """Never called."""


PIPELINE = Pipeline(
    name="toy",
    task="regression",
    loader="toy_model:load",
    target="y",
    candidates=(Candidate(name="first", fit="toy_model:fit"), Candidate(name="second", fit="toy_model:fit")),
    gates=(AbsoluteGate(metric="mae", maximum=3), ChampionGate(metric="mae", margin=0.1)),
)
'''

TOY_DAG_FILE = """
from airflow_mlops.pipelines import fleet_dags, pipeline_dags

pipeline_dags("toy_model:PIPELINE")
fleet_dags()
"""


@pytest.fixture(scope="session")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Parse a folder of DAG files in a fresh Python process."""
    airflow_home = tmp_path_factory.mktemp("airflow")

    def run(folder: Path, *, python_path: Path | None = None, hash_seed: str = "0") -> dict[str, Any]:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(airflow_home / "plugins"),
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": str(python_path or ""),
        }
        completed = subprocess.run(
            [sys.executable, str(HERE / "fresh_parse.py"), str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr[-3000:]
        answer: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
        return answer

    return run


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy model's module and, under ``dags/``, its DAG file."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy_model.py").write_text(TOY_MODEL)
    (folder / "dags").mkdir()
    (folder / "dags" / "toy.py").write_text(TOY_DAG_FILE)
    return folder


@pytest.fixture(scope="session")
def toy_dags(parse: Callable[..., dict[str, Any]], toy_folder: Path) -> dict[str, Any]:
    """The toy model's DAGs, serialized."""
    answer = parse(toy_folder / "dags", python_path=toy_folder)
    assert answer["errors"] == {}
    dags: dict[str, Any] = answer["dags"]
    return dags
