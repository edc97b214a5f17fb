"""The ledger of what is in production, and its mirror in MLflow's model registry."""
