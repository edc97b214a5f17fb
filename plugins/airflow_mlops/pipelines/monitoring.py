"""The monitoring DAG: watch each scored window, decide, ask for a retraining at most once."""

from airflow.sdk import DAG, PartitionedAssetTimetable

from airflow_mlops.assets import predictions_asset, retraining_request_asset
from airflow_mlops.operators.monitoring import (
    DecideRetrainingOperator,
    RequestRetrainingOperator,
    WatchOperator,
)
from airflow_mlops.pipelines.defaults import dag_arguments
from mlops_core.pipeline import Pipeline


def monitoring_dag(pipeline: Pipeline, *, reference: str) -> DAG:
    """Render watch → decide → request_retraining, one run a scored partition."""
    with DAG(
        **dag_arguments(
            pipeline, stage="monitor", purpose="compare a scored window with the reference profile and decide"
        ),
        schedule=PartitionedAssetTimetable(assets=predictions_asset(pipeline.name)),
        max_active_runs=1,
    ) as dag:
        watch = WatchOperator(task_id="watch", pipeline=reference)
        decide = DecideRetrainingOperator(task_id="decide", pipeline=reference, report=watch.output)
        RequestRetrainingOperator(
            task_id="request_retraining",
            pipeline=reference,
            decision=decide.output,
            outlets=[retraining_request_asset(pipeline.name)],
        )
    return dag
