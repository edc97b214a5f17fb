"""Stored models: written once, named by their digest, verified before they are loaded."""
