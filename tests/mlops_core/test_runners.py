"""Where a candidate is fitted is declared in full, and only in ways that can be."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter

from mlops_core.errors import DeclarationError
from mlops_core.runners import Docker, InProcess, RunnerDeclaration

HEAVY = ("docker", "aiodocker", "torch", "numpy", "pandas", "mlflow")


@pytest.mark.parametrize(
    ("fields", "gpus", "processes"),
    [
        ({}, 0, 1),
        ({"gpus": 2}, 2, 2),
        ({"gpus": ("GPU-1", "GPU-2", "GPU-3")}, 3, 3),
        ({"gpus": 2, "processes": 1}, 2, 1),
        ({"processes": 4}, 0, 4),
    ],
)
def test_a_node_has_a_process_a_gpu_unless_told_otherwise(
    fields: dict[str, Any], gpus: int, processes: int
) -> None:
    declared = Docker(**fields)

    assert (declared.gpus_per_node, declared.processes_per_node) == (gpus, processes)


@pytest.mark.parametrize("declared", [InProcess(), Docker(), Docker(gpus=("0",), nodes=2, image="own:1")])
def test_a_declaration_comes_back_from_a_document(declared: InProcess | Docker) -> None:
    adapter: TypeAdapter[InProcess | Docker] = TypeAdapter(RunnerDeclaration)

    assert adapter.validate_json(declared.model_dump_json()) == declared


@pytest.mark.parametrize(
    "fields",
    [
        {"gpus": -1},
        {"gpus": ()},
        {"gpus": ("0;rm",)},
        {"nodes": 0},
        {"processes": 0},
        {"restarts": -1},
        {"memory_mb": 255},
        {"cpus": 0},
        {"image": ""},
        {"volumes": "all"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=next(iter(fields))):
        Docker(**fields)


@pytest.mark.parametrize("gpus", [2, ("GPU-1", "GPU-2")])
def test_processes_without_a_gpu_of_their_own_are_refused(gpus: Any) -> None:
    with pytest.raises(DeclarationError, match="processes is 3 and gpus gives each node 2"):
        Docker(gpus=gpus, processes=3)

    assert Docker(gpus=gpus, processes=2).processes_per_node == 2


def test_a_dag_file_that_declares_one_imports_nothing_heavy() -> None:
    code = f"import sys, mlops_core.runners; print([name for name in {HEAVY} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
