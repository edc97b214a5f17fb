"""Listeners on Airflow's own events."""
