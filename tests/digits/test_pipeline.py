"""The declaration is light, and its gates keep out a model that has learnt nothing."""

import subprocess
import sys

from digits.pipeline import PIPELINE
from mlops_core.references import resolve

_HEAVY = ("numpy", "pandas", "pyarrow", "sklearn", "torch", "mlflow", "great_expectations", "evidently")


def test_declaring_it_imports_nothing_heavy() -> None:
    code = f"import sys, digits.pipeline; print([name for name in {_HEAVY} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_every_function_it_names_can_be_imported() -> None:
    references = [candidate.fit for candidate in PIPELINE.candidates]
    references += [PIPELINE.loader, PIPELINE.expectations]

    assert all(callable(resolve(reference)) for reference in references)


def test_there_is_a_floor_and_a_comparison_with_the_champion() -> None:
    assert [gate.kind for gate in PIPELINE.gates] == ["absolute", "champion"]
    assert PIPELINE.primary_metric.name == "accuracy"
