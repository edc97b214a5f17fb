"""The DAGs of the pipeline ``digits``."""

from airflow_mlops.pipelines import pipeline_dags

pipeline_dags("digits.pipeline:PIPELINE")
