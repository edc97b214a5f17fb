"""The DAGs that serve every model."""

from airflow_mlops.pipelines import fleet_dags

fleet_dags()
