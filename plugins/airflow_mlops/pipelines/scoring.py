"""The scoring DAG: batch predictions of every published partition."""

from airflow.sdk import DAG, PartitionedAssetTimetable

from airflow_mlops.assets import predictions_asset, snapshot_asset
from airflow_mlops.operators.scoring import ScoreOperator
from airflow_mlops.pipelines.defaults import dag_arguments
from mlops_core.pipeline import Pipeline


def scoring_dag(pipeline: Pipeline, *, reference: str) -> DAG:
    """Render the scoring of a partition, one run a partition."""
    with DAG(
        **dag_arguments(
            pipeline, stage="score", purpose="score a published partition with the version in production"
        ),
        schedule=PartitionedAssetTimetable(assets=snapshot_asset(pipeline.name)),
    ) as dag:
        ScoreOperator(task_id="score", pipeline=reference, outlets=[predictions_asset(pipeline.name)])
    return dag
