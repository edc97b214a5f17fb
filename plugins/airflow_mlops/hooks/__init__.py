"""Hooks: credentials and clients of the services outside."""
