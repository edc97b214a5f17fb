"""What every rendered DAG has in common."""

from typing import Any

from airflow_mlops.dag_ids import Stage, dag_id_of
from airflow_mlops.retries import RETRIES
from mlops_core.pipeline import Pipeline


def dag_arguments(pipeline: Pipeline, *, stage: Stage, purpose: str) -> dict[str, Any]:
    """Return the DAG arguments of one stage; the same at every parse."""
    return {
        "dag_id": dag_id_of(pipeline.name, stage),
        "description": purpose,
        "doc_md": _documentation(pipeline, purpose),
        "tags": ["mlops", pipeline.name, stage],
        "catchup": False,
        "default_args": {"owner": pipeline.owner, **RETRIES, "closed_conf": True},
    }


def _documentation(pipeline: Pipeline, purpose: str) -> str:
    return f"### {pipeline.name}\n\n{pipeline.description}\n\n**This DAG:** {purpose}\n"
