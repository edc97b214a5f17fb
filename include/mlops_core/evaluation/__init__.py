"""Is a model good enough? Metrics, their uncertainty, gates, and the report that holds the evidence."""
