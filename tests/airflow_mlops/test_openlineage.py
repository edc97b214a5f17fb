"""What the OpenLineage provider is told: by the mixin alone, and in a real DAG run by its file transport."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager

from airflow_mlops.facets import operator_lineage
from airflow_mlops.openlineage import OpenLineageMixin
from airflow_mlops.operators.partition import LoadPartitionOperator, PublishPartitionOperator
from airflow_mlops.operators.registry import RegisterOperator
from airflow_mlops.operators.scoring import ScoreOperator
from airflow_mlops.operators.training import TrainOperator
from mlops_core.data.documents import SnapshotIdentity
from mlops_core.lineage.openlineage import StepLineage, snapshot_dataset
from servers import MlflowServer

HERE = Path(__file__).parent
SNAPSHOT = SnapshotIdentity(table_uri="/tables/toy", version=3, digest="ab" * 32)


def test_datasets_get_their_version_storage_schema_and_rows_as_facets() -> None:
    dataset = snapshot_dataset(SNAPSHOT, fields={"amount": "double"}, rows=200)

    told = operator_lineage(StepLineage(inputs=(dataset,), outputs=(dataset,)))

    read, made = told.inputs[0], told.outputs[0]
    assert (read.namespace, read.name) == ("file", "/tables/toy")
    assert read.facets["version"].datasetVersion == "3"
    assert (read.facets["storage"].storageLayer, read.facets["storage"].fileFormat) == ("delta", "parquet")
    assert [(field.name, field.type) for field in read.facets["schema"].fields] == [("amount", "double")]
    assert read.facets["mlops"].details == {"digest": "ab" * 32}
    assert read.inputFacets["inputStatistics"].rowCount == 200
    assert made.outputFacets["outputStatistics"].rowCount == 200


def test_a_step_that_has_told_nothing_says_nothing() -> None:
    assert OpenLineageMixin().get_openlineage_facets_on_complete(None) is None


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        (LoadPartitionOperator, {}),
        (PublishPartitionOperator, {"staged": {}, "validation": {}}),
        (TrainOperator, {"job": {}}),
        (RegisterOperator, {"evaluation": {}}),
        (ScoreOperator, {}),
    ],
)
def test_the_providers_extractor_finds_the_operators(operator: type[Any], given: dict[str, Any]) -> None:
    task = operator(task_id="step", pipeline="life_models:LIFE", **given)
    task.lineage = StepLineage(outputs=(snapshot_dataset(SNAPSHOT),))

    extractor = ExtractorManager().get_extractor_class(task)

    assert extractor is not None
    told = extractor(task).extract_on_complete(None)
    assert [dataset.name for dataset in told.outputs] == ["/tables/toy"]


class Event:
    """One event of the file transport."""

    def __init__(self, line: str) -> None:
        document = json.loads(line)
        self.kind: str = document["eventType"]
        self.task: str = document["job"]["name"].partition(".")[2]
        self.inputs: list[dict[str, Any]] = document["inputs"]
        self.outputs: list[dict[str, Any]] = document["outputs"]


def short(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (dataset["name"].rpartition("/")[2], dataset["facets"]["version"]["datasetVersion"])
        for dataset in datasets
    ]


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_dag_run_emits_what_each_step_read_and_made(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    events = tmp_path / "events.jsonl"
    dags = tmp_path / "dags"
    dags.mkdir()
    # Airflow runs what it has found in its folder of DAG files.
    dag_file = "from airflow.sdk import DAG\nimport lineage_dag as own\nown.train_dag(), own.score_dag()\n"
    (dags / "lineage.py").write_text(dag_file)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "none"),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "toy",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(events), "append": True}
        ),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(
            {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": mlflow_server.port}
        ),
        "MLOPS_HOME": str(tmp_path / "home"),
        "MLOPS_TRACKING_URI": mlflow_server.uri,
        "PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE))),
    }

    ended_as = tmp_path / "model.json"
    ran = subprocess.run(
        [sys.executable, str(HERE / "lineage_dag.py"), str(ended_as)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    ended = [event for event in map(Event, events.read_text().splitlines()) if event.kind == "COMPLETE"]
    told = {event.task: event for event in ended}
    model = json.loads(ended_as.read_text())
    assert short(told["publish_3"].outputs) == [("snapshot", "2")]
    assert told["publish_3"].inputs[0]["name"] == told["load_3"].outputs[0]["name"]
    assert short(told["train"].inputs) == [("snapshot", "2")]
    assert short(told["train"].outputs) == [(model["model_id"], model["digest"])]
    assert short(told["register"].inputs) == short(told["train"].outputs)
    assert short(told["register"].outputs) == [(model["name"], "1")]
    assert short(told["score"].inputs) == [("snapshot", "2"), (model["name"], "1")]
    assert short(told["score"].outputs) == [("predictions", "0")]
