"""What every rendered DAG has in common."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from mlops_core.pipeline import Pipeline

RETRIES: dict[str, Any] = {
    # A refused model or bad data fails at once (the operators say so), and so does a mistake in the code.
    # What is left is a service that did not answer or a worker that died: five tries over about two and a
    # half minutes outlast a server's restart.
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[AttributeError, ImportError, NameError, TypeError],
                action=RetryAction.FAIL,
                reason="a mistake in the code; another try makes it again",
            )
        ]
    ),
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
}


def dag_arguments(pipeline: Pipeline, *, stage: str, purpose: str) -> dict[str, Any]:
    """Return the DAG arguments of one stage; the same at every parse."""
    return {
        "dag_id": f"{pipeline.name}__{stage}",
        "description": purpose,
        "doc_md": _documentation(pipeline, purpose),
        "tags": ["mlops", pipeline.name, stage],
        "catchup": False,
        "default_args": {"owner": pipeline.owner, **RETRIES, "closed_conf": True},
    }


def _documentation(pipeline: Pipeline, purpose: str) -> str:
    return f"### {pipeline.name}\n\n{pipeline.description}\n\n**This DAG:** {purpose}\n"
