"""Machine-learning operations as a library: everything that knows models, nothing that knows Airflow."""
