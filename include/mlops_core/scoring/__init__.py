"""Batch predictions: a published partition in, a table of predictions out."""
