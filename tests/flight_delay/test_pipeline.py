"""The declaration is light, and its gates keep out a model that has learnt nothing."""

import subprocess
import sys

from flight_delay.pipeline import PIPELINE
from mlops_core.references import resolve

_HEAVY = ("numpy", "pandas", "pyarrow", "sklearn", "mlflow", "great_expectations", "evidently")


def test_declaring_it_imports_nothing_heavy() -> None:
    code = f"import sys, flight_delay.pipeline; print([name for name in {_HEAVY} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_every_function_it_names_can_be_imported() -> None:
    references = [candidate.fit for candidate in PIPELINE.candidates]
    references += [PIPELINE.loader, PIPELINE.labels, PIPELINE.expectations]

    assert all(callable(resolve(reference)) for reference in references)


def test_neither_the_key_nor_the_target_is_a_feature() -> None:
    assert PIPELINE.features is not None
    assert not {PIPELINE.key, PIPELINE.target} & set(PIPELINE.features)


def test_nothing_measured_after_departure_is_a_feature() -> None:
    measured = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}

    assert PIPELINE.features is not None
    assert not measured & set(PIPELINE.features)


def test_there_is_a_floor_and_a_comparison_with_the_champion() -> None:
    kinds = [gate.kind for gate in PIPELINE.gates]

    assert kinds[:3] == ["absolute", "champion", "champion"]
    assert {"slice", "fairness", "calibration", "robustness", "leakage", "skew"} < set(kinds)
    assert PIPELINE.risk == "medium"
    assert PIPELINE.primary_metric.name == "roc_auc"
