"""``python -m airflow_mlops.listing FOLDER``: which DAGs a folder renders, as JSON, without a database.

For programs that may not import Airflow themselves.
"""

import json
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag


def main(folder: str) -> None:
    """Print the ids of the DAGs with their tasks in order, and why files did not import."""
    bag = DagBag(folder)
    rendered: dict[str, Any] = dict(sorted(bag.dags.items()))  # whose sort Airflow leaves untyped
    dags = {dag_id: [task.task_id for task in dag.topological_sort()] for dag_id, dag in rendered.items()}
    # On a line of its own: Airflow may have written something before.
    sys.stdout.write("\n" + json.dumps({"dags": dags, "errors": bag.import_errors}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
