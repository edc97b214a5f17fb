"""Registers the plugin when the package is mounted and not installed.

Airflow imports every module of the plugins folder by its bare name, so the package itself is listed in
``.airflowignore``; this one import is all that Airflow's scan may find.
"""

from airflow_mlops.plugin import MlopsPlugin

__all__ = ["MlopsPlugin"]
