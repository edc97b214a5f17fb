"""Watches a model in production: drift, performance, and whether to train again."""
