"""The ingest DAG: one run a partition."""

from airflow.sdk import DAG, CronPartitionTimetable, PartitionedAtRuntime

from airflow_mlops.assets import snapshot_asset
from airflow_mlops.operators.partition import (
    LoadPartitionOperator,
    PublishPartitionOperator,
    ValidatePartitionOperator,
)
from airflow_mlops.pipelines.defaults import dag_arguments
from mlops_core.pipeline import Pipeline


def ingest_dag(pipeline: Pipeline, *, reference: str) -> DAG:
    """Render load → validate → publish; runs one at a time, so partitions land in the order asked for."""
    with DAG(
        **dag_arguments(
            pipeline, stage="ingest", purpose="load a partition, validate it, publish it as a snapshot"
        ),
        schedule=_timetable(pipeline),
        max_active_runs=1,
    ) as dag:
        load = LoadPartitionOperator(task_id="load", pipeline=reference)
        validate = ValidatePartitionOperator(task_id="validate", pipeline=reference, staged=load.output)
        PublishPartitionOperator(
            task_id="publish",
            pipeline=reference,
            staged=load.output,
            validation=validate.output,
            outlets=[snapshot_asset(pipeline.name)],
        )
    return dag


def _timetable(pipeline: Pipeline) -> CronPartitionTimetable | PartitionedAtRuntime:
    if pipeline.schedule is None:
        return PartitionedAtRuntime()
    # A run that is due when a month has ended loads that month, hence the offset of one interval back.
    return CronPartitionTimetable(
        pipeline.schedule, timezone="UTC", run_offset=-1, key_format=pipeline.partition_format
    )
