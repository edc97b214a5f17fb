"""The plugin: listeners, links and the web app, named for Airflow.

Every component and every task process imports this module, so it stays light; the web app is built only
when the API server asks for it.
"""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_mlops.links import (
    DriftReportLink,
    EvaluationReportLink,
    EvidentlyReportLink,
    MlflowRunLink,
    ModelCardLink,
    ReproductionLink,
    ValidationPageLink,
)
from airflow_mlops.listeners import preload


class MlopsPlugin(AirflowPlugin):
    """Registers the pack with Airflow."""

    name = "airflow_mlops"
    listeners = [preload]  # noqa: RUF012  Airflow reads class attributes
    operator_extra_links = [  # noqa: RUF012
        MlflowRunLink(),
        ValidationPageLink(),
        EvaluationReportLink(),
        ModelCardLink(),
        ReproductionLink(),
        DriftReportLink(),
        EvidentlyReportLink(),
    ]

    external_views = [  # noqa: RUF012
        {
            "name": "Models",
            # Relative: the UI may lie below a path.
            "href": "mlops/models",
            "destination": "nav",
            "url_route": "models",
            "nav_top_level": True,
            "icon": "mlops/static/models.svg",
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The web app, built when the API server asks for it."""
        from airflow_mlops.ui.app import create_app

        return [{"app": create_app(), "url_prefix": "/mlops", "name": "MLOps"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What stands before Airflow's own API where its database has one write lock."""
        from airflow_mlops.one_writer import middlewares

        return middlewares()
