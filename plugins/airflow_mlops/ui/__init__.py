"""Pages inside Airflow's web UI."""
