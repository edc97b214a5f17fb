"""Asking a model server: for predictions, for what it serves, and for proof that a deployment arrived."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
from pydantic import ValidationError

from mlops_core.document import Document
from mlops_core.errors import InvalidRecordsError, ModelServerUnavailableError, VerificationError
from mlops_core.registry.records import Deployment
from mlops_core.serving.protocol import (
    ModelStatus,
    Prediction,
    PredictionAnswer,
    ReadyReport,
    Refusal,
    VersionIdentity,
)

if TYPE_CHECKING:
    from mlops_core.models.loaded import LoadedModel

_Answer = TypeVar("_Answer", bound=Document)
_TOLERANCE = 1e-6


class Verification(Document):
    """Proof that a model server serves a deployment: it answered these records as the model itself does."""

    model: str
    version: int
    digest: str
    model_server_url: str
    records: int
    largest_difference: float


class ModelServer:
    """A model server at one address. Close it, or use it as a context.

    Parameters
    ----------
    url
        For example ``http://127.0.0.1:8000``.
    transport
        Takes the network's place in tests.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ready(self, *, model: str | None = None, version: int | None = None) -> ReadyReport:
        """Return how the server stands; ``ready`` speaks of that model and version where they are given.

        Raises
        ------
        ModelServerUnavailableError
            If it does not answer.
        """
        asked = {name: value for name, value in (("model", model), ("version", version)) if value is not None}
        return self._read(self._request("GET", "/ready", params=asked), ReadyReport, expected=(200, 503))

    def predict(self, model: str, records: Sequence[dict[str, Any]]) -> PredictionAnswer:
        """Return the predictions of records.

        Raises
        ------
        InvalidRecordsError
            If the server refuses the records.
        ModelServerUnavailableError
            If it does not answer, or does not serve the model.
        """
        response = self._request("POST", f"/models/{model}/predict", json={"records": records})
        if response.status_code in (413, 422):
            raise InvalidRecordsError(*self._read(response, Refusal, expected=(413, 422)).detail)
        return self._read(response, PredictionAnswer, expected=(200,))

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise ModelServerUnavailableError(
                f"the model server at {self._url} does not answer: {error}"
            ) from error

    def _read(self, response: httpx.Response, kind: type[_Answer], *, expected: tuple[int, ...]) -> _Answer:
        if response.status_code in expected:
            try:
                return kind.model_validate_json(response.content)
            except ValidationError as error:
                raise ModelServerUnavailableError(
                    f"what answers at {self._url} is no model server: {response.text[:200]}"
                ) from error
        raise ModelServerUnavailableError(
            f"the model server at {self._url} answered {response.status_code}: {response.text[:500]}"
        )


def verify_deployment(
    deployment: Deployment,
    *,
    model_server_url: str,
    model: "LoadedModel",
    timeout_s: float = 60.0,
    poll_interval_s: float = 0.25,
    transport: httpx.BaseTransport | None = None,
) -> Verification:
    """Wait until a model server serves a deployment, and compare its answers with the model's own.

    Parameters
    ----------
    deployment
        What the ledger was told to have served.
    model
        The same version, loaded here; its input example is what is asked.
    timeout_s
        For the server to have followed the ledger.

    Raises
    ------
    VerificationError
        If the server refused the version, serves other files under its number, answers differently, or a
        later deployment came between.
    ModelServerUnavailableError
        If it does not answer or did not follow in time; a retry may help.
    """
    from mlops_core.models.records import records_of

    with ModelServer(model_server_url, transport=transport) as server:
        _wait_until_served(deployment, server, timeout_s=timeout_s, poll_interval_s=poll_interval_s)
        try:
            answer = server.predict(deployment.model, records_of(model.input_example, model.features))
        except InvalidRecordsError as error:
            raise VerificationError(
                f"{_title(deployment)} refuses its own input example at {model_server_url}: {error}"
            ) from error
    answered = VersionIdentity(version=answer.version, digest=answer.digest)
    if answered != VersionIdentity.of(deployment.version):
        raise VerificationError(f"{_title(deployment)} was ready, but {_named(answered)} answered")
    return Verification(
        model=deployment.model,
        version=answer.version,
        digest=answer.digest,
        model_server_url=model_server_url,
        records=len(answer.predictions),
        largest_difference=_compare(deployment, answer.predictions, model),
    )


def _wait_until_served(
    deployment: Deployment, server: ModelServer, *, timeout_s: float, poll_interval_s: float
) -> None:
    deadline_s = time.monotonic() + timeout_s
    while True:
        problem: ModelServerUnavailableError
        try:
            report = server.ready(model=deployment.model, version=deployment.version.version)
            if _is_served(deployment, report):
                return
            problem = ModelServerUnavailableError(
                f"{_title(deployment)} is not served after {timeout_s:g} s: {_standing(report)}"
            )
        except ModelServerUnavailableError as error:
            problem = error
        if time.monotonic() >= deadline_s:
            raise problem
        time.sleep(poll_interval_s)


def _is_served(deployment: Deployment, report: ReadyReport) -> bool:
    wanted = VersionIdentity.of(deployment.version)
    for status in report.models:
        _check_still_wanted(deployment, status)
        if status.serving == wanted:
            return True
        if status.serving is not None and status.serving.version == wanted.version:
            raise VerificationError(
                f"{_title(deployment)} is served from other files: digest {status.serving.digest:.12},"
                f" the ledger says {wanted.digest:.12}"
            )
        if status.problem_is_final and status.revision >= deployment.revision:
            raise VerificationError(
                f"the model server refuses {_title(deployment)}: {status.problem}; it still serves"
                f" {_named(status.serving)}"
            )
    return False


def _check_still_wanted(deployment: Deployment, status: ModelStatus) -> None:
    is_later = status.revision > deployment.revision
    if is_later and status.wanted != VersionIdentity.of(deployment.version):
        raise VerificationError(
            f"{_title(deployment)} was replaced by {_named(status.wanted)} (deployment {status.revision},"
            f" this was {deployment.revision}) before it could be verified"
        )


def _compare(deployment: Deployment, answered: Sequence[Prediction], model: "LoadedModel") -> float:
    """Return the largest difference of any score; refuse one beyond the tolerance, and any other label."""
    expected = model.predict(model.input_example)
    scores = expected.scores.reshape(len(expected.labels), -1)
    if len(answered) != len(scores):
        raise VerificationError(
            f"{_title(deployment)} answered {len(answered)} predictions for {len(scores)} records"
        )
    largest = 0.0
    for index, prediction in enumerate(answered):
        got = tuple(prediction.score.values()) if isinstance(prediction.score, dict) else (prediction.score,)
        here = tuple(float(score) for score in scores[index])
        differences = [abs(there - own) / max(1.0, abs(own)) for there, own in zip(got, here, strict=True)]
        largest = max(largest, *differences)
        # "Is it within?" and never "is it beyond?": a NaN is a refusal.
        if not largest <= _TOLERANCE or prediction.label != expected.labels[index].item():
            raise VerificationError(
                f"{_title(deployment)} answers record {index} of its input example with {prediction.score}"
                f" ({prediction.label!r}); the model itself says {here} ({expected.labels[index]!r})"
            )
    return largest


def _standing(report: ReadyReport) -> str:
    if not report.models:
        return f"the server knows no such deployment (ledger: {report.ledger_problem or 'answers'})"
    status = report.models[0]
    problem = status.problem or report.ledger_problem or "no problem known"
    return f"it serves {_named(status.serving)} ({problem})"


def _title(deployment: Deployment) -> str:
    return f"{deployment.model!r} version {deployment.version.version}"


def _named(identity: VersionIdentity | None) -> str:
    return "nothing" if identity is None else f"version {identity.version} (digest {identity.digest:.12})"
