"""Shows what went otherwise than wished as a page to a browser, and as JSON to everyone else."""

import logging

from airflow.api_fastapi.app import get_auth_manager
from fastapi import FastAPI, HTTPException, Request, status
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import Response

from airflow_mlops.ui.pages import render, show_message
from mlops_core.errors import MlopsError, ServiceUnavailableError

_log = logging.getLogger(__name__)

_TITLES = {
    status.HTTP_403_FORBIDDEN: "You may not do this",
    status.HTTP_404_NOT_FOUND: "There is nothing here",
    status.HTTP_413_CONTENT_TOO_LARGE: "That was too much",
}
_OTHERWISE = "This did not work"


def show_refusals(app: FastAPI) -> None:
    """Add the handlers to the app."""

    @app.exception_handler(HTTPException)
    async def show(request: Request, error: HTTPException) -> Response:
        base = request.scope.get("root_path", "")
        if "text/html" not in request.headers.get("accept", "") or "/models" not in request.url.path:
            return await http_exception_handler(request, error)
        if error.status_code == status.HTTP_401_UNAUTHORIZED:
            back = f"{base}/models"
            return render(
                request,
                "sign_in.html.jinja",
                status_code=error.status_code,
                sign_in=get_auth_manager().get_url_login(next_url=back),
            )
        return show_message(
            request,
            status_code=error.status_code,
            title=_TITLES.get(error.status_code, _OTHERWISE),
            message=str(error.detail),
            back=f"{base}/models",
        )

    @app.exception_handler(ServiceUnavailableError)
    async def show_outage(request: Request, error: ServiceUnavailableError) -> Response:
        return show_message(
            request,
            status_code=status.HTTP_503_SERVICE_UNAVAILABLE,
            title="The ledger cannot be read",
            message=str(error),
            back=f"{request.scope.get('root_path', '')}/models",
        )

    @app.exception_handler(MlopsError)
    async def show_failure(request: Request, error: MlopsError) -> Response:
        _log.error("%s failed", request.url.path, exc_info=error)
        return show_message(
            request,
            status_code=status.HTTP_500_INTERNAL_SERVER_ERROR,
            title=_OTHERWISE,
            message=str(error),
            back=f"{request.scope.get('root_path', '')}/models",
        )
