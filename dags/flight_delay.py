"""The DAGs of the pipeline ``flight_delay``."""

from airflow_mlops.pipelines import pipeline_dags

pipeline_dags("flight_delay.pipeline:PIPELINE")
