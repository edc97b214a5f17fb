"""Everything that knows Airflow: operators, hooks, DAG factories, the plugin."""
