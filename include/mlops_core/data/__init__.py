"""Snapshots of data, how they come in, and what refuses them."""
