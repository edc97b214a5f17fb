"""The whole platform on one machine, under one home directory: Airflow, MLflow and the model server."""
