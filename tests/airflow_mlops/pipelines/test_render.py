"""What the DAG factories render."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def tasks_of(dag: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["__var"]["task_id"]: task["__var"] for task in dag["dag"]["tasks"]}


def chain_of(dag: dict[str, Any]) -> dict[str, list[str]]:
    return {name: sorted(task.get("downstream_task_ids", [])) for name, task in tasks_of(dag).items()}


def test_ingest_validates_before_it_publishes(toy_dags: dict[str, Any]) -> None:
    assert chain_of(toy_dags["toy__ingest"]) == {
        "load": ["publish", "validate"],
        "validate": ["publish"],
        "publish": [],
    }


def test_training_gates_before_it_registers_and_registers_before_it_promotes(
    toy_dags: dict[str, Any],
) -> None:
    chain = chain_of(toy_dags["toy__train"])
    assert chain["plan"] == ["evaluate", "train"]
    assert chain["train"] == ["evaluate"]
    assert chain["evaluate"] == ["gate"]
    assert "register" in chain["gate"]
    assert chain["register"] == ["promote"]
    assert chain["promote"] == ["deploy"]
    assert chain["deploy"] == ["verify"]


def test_a_risk_that_is_not_low_asks_a_person_between_register_and_promote(
    parse: Callable[..., dict[str, Any]], toy_folder: Path, tmp_path: Path
) -> None:
    source = (toy_folder / "toy_model.py").read_text()
    low = 'gates=(AbsoluteGate(metric="mae", maximum=3), ChampionGate(metric="mae", margin=0.1)),'
    medium = (
        'gates=(ChampionGate(metric="mae", margin=0.1), {"kind": "leakage"}, {"kind": "skew"}),'
        'evaluation={"leakage": {}, "serving": {}}, risk="medium", approval={"approvers": ["ada"]},'
    )
    assert low in source
    (tmp_path / "toy_model.py").write_text(source.replace(low, medium))

    answer = parse(toy_folder / "dags", python_path=tmp_path)

    assert answer["errors"] == {}
    assert answer["heavy"] == []
    dag = answer["dags"]["toy__train"]
    chain = chain_of(dag)
    assert chain["register"] == ["approve", "promote"]
    assert chain["approve"] == ["promote"]
    assert tasks_of(dag)["approve"]["retry_delay"] < tasks_of(dag)["register"]["retry_delay"]


def test_training_maps_one_task_a_candidate(toy_dags: dict[str, Any]) -> None:
    train = tasks_of(toy_dags["toy__train"])["train"]
    assert train["_is_mapped"] is True


def test_the_dags_of_a_model_are_chained_by_assets(toy_dags: dict[str, Any]) -> None:
    outlets = {
        dag_id: [
            asset["__var"]["uri"] if "__var" in asset else asset["uri"]
            for task in tasks_of(dag).values()
            for asset in task.get("outlets", [])
        ]
        for dag_id, dag in toy_dags.items()
    }
    assert outlets["toy__ingest"] == ["mlops://toy/snapshot"]
    assert outlets["toy__score"] == ["mlops://toy/predictions"]
    assert outlets["toy__monitor"] == ["mlops://toy/retraining_request"]
    for consumer, uri in {
        "toy__score": "mlops://toy/snapshot",
        "toy__monitor": "mlops://toy/predictions",
        "toy__train": "mlops://toy/retraining_request",
    }.items():
        assert uri in str(toy_dags[consumer]["dag"]["timetable"]), consumer


def test_a_dag_serializes_the_same_in_every_process(
    parse: Callable[..., dict[str, Any]], toy_folder: Path, toy_dags: dict[str, Any]
) -> None:
    again = parse(toy_folder / "dags", python_path=toy_folder, hash_seed="4711")
    assert again["dags"] == toy_dags


def test_every_task_retries_with_growing_waits(toy_dags: dict[str, Any]) -> None:
    for dag in toy_dags.values():
        for name, task in tasks_of(dag).items():
            settings = {
                **dag["dag"]["default_args"].get("__var", {}),
                **task.get("partial_kwargs", {}),
                **task,
            }
            assert settings.get("retries") == 4, name


@pytest.mark.parametrize(
    ("field", "broken", "said"),
    [
        ('task="regression"', 'taks="regression"', "taks"),
        ('metric="mae", maximum=3', 'metric="maee", maximum=3', "known metrics"),
        ("toy_model:load", "toy_model:lode", "lode"),
        ('name="toy"', 'name="../toy"', "../toy"),
    ],
)
def test_a_wrong_declaration_is_an_import_error_that_names_it(
    parse: Callable[..., dict[str, Any]], toy_folder: Path, tmp_path: Path, field: str, broken: str, said: str
) -> None:
    source = (toy_folder / "toy_model.py").read_text()
    assert field in source
    (tmp_path / "toy_model.py").write_text(source.replace(field, broken))

    answer = parse(toy_folder / "dags", python_path=tmp_path)

    assert answer["dags"] == {}
    (error,) = answer["errors"].values()
    assert said in error


def test_every_dag_refuses_conf_that_it_does_not_declare_in_its_first_task(
    toy_folder: Path, parse: Any, tmp_path: Path
) -> None:
    (tmp_path / "probe.py").write_text(
        "from airflow_mlops.pipelines import fleet_dags, pipeline_dags\n"
        "tasks = [t for dag in (*pipeline_dags('toy_model:PIPELINE'), *fleet_dags()) for t in dag.roots]\n"
        "closed = [t.closed_conf for t in tasks]\n"
        "assert all(closed), closed\n"
    )
    assert parse(tmp_path, python_path=toy_folder)["errors"] == {}
