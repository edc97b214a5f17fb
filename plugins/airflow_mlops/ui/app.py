"""The pack's web app: the pages of the models, and stored reports for people who may read their DAG.

Reports hold column names and values that nobody vetted, and two of their makers do not escape them. So a
page is served sandboxed: it may run its own scripts and reach nothing, neither this origin's cookies nor
the network.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI, HTTPException, Query, status
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from airflow_mlops.ui.acting import served_app
from airflow_mlops.ui.actions import actions_router
from airflow_mlops.ui.models import models_router
from airflow_mlops.ui.ownership import is_owned
from airflow_mlops.ui.refusals import show_refusals
from mlops_core.errors import DeclarationError
from mlops_core.reports import ReportStore
from mlops_core.settings import Settings

SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; frame-ancestors 'self'"
)


def create_app(*, airflow: Callable[[], ASGIApp] = served_app) -> FastAPI:
    """Build the app that the plugin mounts under ``/mlops``.

    Parameters
    ----------
    airflow
        Returns the Airflow whose API carries out what people decide on a page.
    """
    app = FastAPI(title="MLOps", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.include_router(models_router(airflow))
    app.include_router(actions_router(airflow))
    show_refusals(app)

    @app.get(
        "/reports",
        dependencies=[Depends(requires_authenticated()), Depends(requires_access_dag("GET"))],
    )
    def show_report(
        dag_id: Annotated[
            str, Query(description="The DAG that made the report; the caller must be able to read it")
        ],
        path: Annotated[str, Query(max_length=1024)],
    ) -> FileResponse:
        try:
            page = ReportStore(Settings.from_environment().reports_path).path(path)
        except DeclarationError as error:
            raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error
        # The path is resolved by now, so that it cannot point beside what the DAG made.
        if page.suffix != ".html" or not page.is_file() or not is_owned(page, dag_id=dag_id):
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"{dag_id} made no report {path!r}")
        return FileResponse(
            page,
            media_type="text/html",
            headers={"Content-Security-Policy": SANDBOX, "X-Content-Type-Options": "nosniff"},
        )

    return app
