"""Every step in a model's life as an operator that works alone in any DAG."""
