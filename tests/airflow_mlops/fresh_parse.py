"""Parses a folder of DAG files in a process of its own and prints what a test wants to know, as JSON.

Run as a program, so that nothing the test session has imported counts.
"""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

HEAVY = (
    "alembic",
    "deltalake",
    "evidently",
    "fairlearn",
    "great_expectations",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "shap",
    "sklearn",
    "torch",
)

bag = DagBag(sys.argv[1])
answer = {
    "errors": bag.import_errors,
    "dags": {dag_id: DagSerialization.to_dict(dag) for dag_id, dag in sorted(bag.dags.items())},
    "heavy": [name for name in HEAVY if name in sys.modules],
}
sys.stdout.write("\n" + json.dumps(answer, default=str) + "\n")
