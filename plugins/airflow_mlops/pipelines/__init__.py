"""The DAGs that the pack renders from declarations."""

from airflow_mlops.pipelines.fleet import fleet_dags
from airflow_mlops.pipelines.render import pipeline_dags

__all__ = ["fleet_dags", "pipeline_dags"]
