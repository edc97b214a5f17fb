"""The DAGs of the end-to-end tests' models."""

from airflow_mlops.pipelines import fleet_dags, pipeline_dags

pipeline_dags("life_models:LIFE")
pipeline_dags("life_models:OUTAGE")
pipeline_dags("life_models:MISTAKEN")
pipeline_dags("life_models:GUARDED")
fleet_dags()
