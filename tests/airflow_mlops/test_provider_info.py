"""What the pack tells Airflow's provider manager is true."""

import json
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_mlops.provider_info import get_provider_info

CLASSES = [
    *(entry["hook-class-name"] for entry in get_provider_info()["connection-types"]),
    *(entry["class-name"] for entry in get_provider_info()["task-decorators"]),
    *get_provider_info()["extra-links"],
]


@pytest.mark.parametrize("path", CLASSES)
def test_every_named_class_exists(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert hasattr(import_module(module), name)


def test_it_satisfies_airflows_schema() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("airflow.plugins", "airflow_mlops.plugin:MlopsPlugin"),
        ("apache_airflow_provider", "airflow_mlops.provider_info:get_provider_info"),
    ],
)
def test_the_distribution_registers_both_entry_points(group: str, target: str) -> None:
    assert target in {point.value for point in entry_points(group=group)}


def test_the_connection_form_asks_where_browsers_find_mlflow() -> None:
    widget = ProvidersManager().connection_form_widgets["extra__mlflow__ui_url"]
    assert widget.field_name == "ui_url"
    assert widget.field["schema"]["title"] == "Address for browsers"
