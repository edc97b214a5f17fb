"""How the DAGs of a model are named."""

from typing import Literal

Stage = Literal["ingest", "train", "score", "monitor"]


def dag_id_of(model: str, stage: Stage) -> str:
    """Return the DAG that does this for the model."""
    return f"{model}__{stage}"
