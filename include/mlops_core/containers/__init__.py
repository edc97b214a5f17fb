"""Containers on a Docker engine: what is asked for, starting it once, following it, removing it."""
