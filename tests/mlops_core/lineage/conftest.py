"""A toy model whose records the tests write."""

from lineage_examples import clock, records

__all__ = ["clock", "records"]
