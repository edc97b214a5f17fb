"""The model server's HTTP surface."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from mlops_core.errors import InvalidRecordsError
from mlops_core.models.problem import Problem
from mlops_core.serving.body import BodyRefusedError, read_body
from mlops_core.serving.follower import Follower
from mlops_core.serving.metrics import NO_MODEL, ServerMetrics
from mlops_core.serving.prediction import Answer, ServedModel
from mlops_core.serving.protocol import (
    ModelDescription,
    PredictionAnswer,
    ReadyReport,
    Refusal,
)
from mlops_core.serving.settings import ServerSettings

_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["records"],
                    "additionalProperties": False,
                    "properties": {"records": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
                }
            }
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal} for status in (400, 404, 408, 413, 422, 503)
}


def create_app(follower: Follower, *, settings: ServerSettings, metrics: ServerMetrics) -> FastAPI:
    """Build the server; following begins and ends with the application's life."""
    service = PredictionService(follower, settings=settings, metrics=metrics)
    metrics.watch(staleness_s=follower.staleness_s, in_flight=lambda: service.in_flight)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        yield
        await asyncio.to_thread(follower.stop)
        service.close()

    # The documentation pages load scripts from elsewhere; /openapi.json is enough for tools.
    app = FastAPI(title="Model server", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)

    @app.post(
        "/models/{name}/predict",
        response_model=PredictionAnswer,
        responses=_REFUSALS,
        openapi_extra=_REQUEST_BODY,
    )
    async def predict(name: str, request: Request) -> Response:
        """Predict `{"records": [{...}]}` with the version that is deployed."""
        return await service.predict(name, request)

    @app.get("/models")
    async def models() -> list[ModelDescription]:
        """List what is served, with the features that each model expects."""
        return [served.description() for served in follower.served()]

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answer while the process lives."""
        return {"status": "alive"}

    @app.get("/ready", response_model=ReadyReport, responses={503: {"model": ReadyReport}})
    async def ready(
        model: Annotated[str | None, Query(max_length=128)] = None,
        version: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    ) -> Response:
        """Tell whether every deployed model, or the one asked for, can answer."""
        report = _narrow(follower.report(), model=model, version=version)
        return Response(
            report.model_dump_json(), status_code=200 if report.ready else 503, media_type="application/json"
        )

    @app.get("/metrics")
    async def prometheus() -> Response:
        """Counters in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return app


class PredictionService:
    """Answers requests for predictions, in threads, so that the event loop stays free."""

    def __init__(self, follower: Follower, *, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self._follower = follower
        self._settings = settings
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(settings.prediction_threads, thread_name_prefix="prediction")
        self.in_flight = 0

    def close(self) -> None:
        """End the threads once they are idle."""
        self._threads.shutdown()

    async def predict(self, name: str, request: Request) -> Response:
        """Answer one request and count it, whatever comes of it."""
        started_s = time.perf_counter()
        served = self._follower.serving(name)
        status, rows = 500, 0
        self.in_flight += 1
        try:
            answer = await self._answer(served, name, request)
            if isinstance(answer, Answer):
                status, rows = 200, answer.rows
                return Response(answer.body, media_type="application/json")
            status = answer.status_code
            return answer
        finally:
            self.in_flight -= 1
            self._metrics.answered(
                model=NO_MODEL if served is None else name,
                version=NO_MODEL if served is None else str(served.version.version),
                status=status,
                duration_s=time.perf_counter() - started_s,
                rows=rows,
            )

    async def _answer(self, served: ServedModel | None, name: str, request: Request) -> Answer | JSONResponse:
        if served is None:
            return self._refuse_unserved(name)
        if self.in_flight > self._settings.max_concurrent_requests:
            return _refuse(503, Problem(loc=("server",), msg="too many requests at once; try again"))
        try:
            body = await read_body(
                request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
            )
            return await asyncio.get_running_loop().run_in_executor(self._threads, served.answer, body)
        except BodyRefusedError as error:
            return _refuse(error.status, error.problem)
        except InvalidRecordsError as error:
            return _refuse(422, *error.args)

    def _refuse_unserved(self, name: str) -> JSONResponse:
        if self._follower.is_deployed(name):
            return _refuse(503, Problem(loc=("path", "name"), msg="the model is deployed but not loaded yet"))
        known = ", ".join(served.version.model for served in self._follower.served()) or "none"
        message = f"no model {name[:64]!r} is served; served models: {known[:500]}"
        return _refuse(404, Problem(loc=("path", "name"), msg=message))


def _refuse(status: int, *problems: Problem) -> JSONResponse:
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(Refusal(detail=problems).model_dump(mode="json"), status_code=status, headers=headers)


async def _refuse_parameters(_: Request, error: Exception) -> JSONResponse:
    # FastAPI's own handler repeats the input, which may be NaN and then is an error 500 itself.
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    return _refuse(422, *(Problem(loc=details["loc"], msg=details["msg"][:300]) for details in details[:20]))


def _narrow(report: ReadyReport, *, model: str | None, version: int | None) -> ReadyReport:
    """Reduce a report to one model, ready when it is served (in that version, if one is asked for)."""
    if model is None:
        return report
    models = tuple(status for status in report.models if status.model == model)
    ready = any(status.serving is not None and version in (None, status.serving.version) for status in models)
    return report.model_copy(update={"ready": ready, "models": models})
