"""The demo: one real model through its whole life, driven through Airflow's REST API as a user would."""
