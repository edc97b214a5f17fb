"""The project's own DAGs of the pipeline ``digits``: its network is fitted in a container."""

from airflow_mlops.pipelines import pipeline_dags

pipeline_dags("digits.pipeline:PIPELINE")
