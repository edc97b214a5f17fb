"""Which DAGs Airflow renders for a model; asked in another process, since this one never imports Airflow."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WITHIN_S = 60.0


@dataclass(frozen=True)
class RenderedDags:
    """The DAGs of a model with their tasks, or why there are none."""

    tasks: Mapping[str, tuple[str, ...]]
    problem: str | None = None


def render_dags(model: str, *, reference: str, dags_folder: Path) -> RenderedDags:
    """Parse the folder of DAG files and return the DAGs whose id begins with the model's name.

    Parameters
    ----------
    reference
        Of the model's pipeline, for the hint when nothing renders it.
    """
    if importlib.util.find_spec("airflow") is None:
        return RenderedDags({}, "Airflow is not installed here; install airflow-mlops[airflow]")
    if not dags_folder.is_dir():
        return RenderedDags({}, f"no folder of DAG files at {dags_folder}; set MLOPS_DAGS_FOLDER")
    with tempfile.TemporaryDirectory(prefix="mlops-check-") as folder:
        answer = subprocess.run(  # noqa: S603  a constant of this package and a folder
            [sys.executable, "-P", "-m", "airflow_mlops.listing", str(dags_folder)],
            env={**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
    if answer.returncode != 0:
        return RenderedDags({}, f"DAG files cannot be parsed: {answer.stderr.strip()[-1000:]}")
    listed = json.loads(answer.stdout.strip().splitlines()[-1])
    tasks = {
        dag_id: tuple(names) for dag_id, names in listed["dags"].items() if dag_id.startswith(f"{model}__")
    }
    if tasks:
        return RenderedDags(tasks)
    errors = "\n".join(f"{file}: {reason}" for file, reason in listed["errors"].items())
    hint = f"write {dags_folder / model}.py with: pipeline_dags({reference!r})"
    return RenderedDags({}, errors or f"no DAG file in {dags_folder} renders this model; {hint}")
