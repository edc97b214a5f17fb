"""Reproduction: a registered version is built again from what was recorded, and compared with it."""
