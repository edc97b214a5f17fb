"""Asking a model server, and proving that a deployment arrived there."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from mlops_core.errors import (
    InvalidRecordsError,
    ModelServerUnavailableError,
    UntrustedModelError,
    VerificationError,
)
from mlops_core.models.stored import LoadedModel, Predictions
from mlops_core.registry.records import Deployment, VersionRecord
from mlops_core.serving.client import ModelServer, Verification, verify_deployment
from mlops_core.serving.follower import Follower

URL = "http://model-server"


class Network:
    """Brings requests to the application; a test may cut it or act between two requests."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.requests: list[str] = []

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url.path)
        if (instead := self.before(request)) is not None:
            return instead
        answer = self._client.request(
            request.method, request.url.raw_path.decode(), content=request.content, headers=request.headers
        )
        return httpx.Response(answer.status_code, content=answer.content)


@pytest.fixture
def network(client: TestClient) -> Network:
    return Network(client)


@pytest.fixture
def verify(network: Network, model: LoadedModel) -> Callable[..., Verification]:
    """Verify a deployment with a single look, unless the test allows more time."""

    def call(deployment: Deployment, *, own: LoadedModel = model, timeout_s: float = 0.0) -> Verification:
        return verify_deployment(
            deployment,
            model_server_url=URL,
            model=own,
            timeout_s=timeout_s,
            poll_interval_s=0.0,
            transport=network.transport,
        )

    return call


def test_a_deployment_that_is_served_is_verified_with_real_predictions(
    verify: Callable[..., Verification], network: Network, deployment_of: Any
) -> None:
    proof = verify(deployment_of(1))

    assert proof.version == 1
    assert proof.records == 3
    assert proof.largest_difference == 0.0
    assert network.requests == ["/ready", "/models/flights/predict"]


def test_verifying_waits_until_the_server_has_followed(
    verify: Callable[..., Verification],
    network: Network,
    follower: Follower,
    deployments: list[Deployment],
    deployment_of: Any,
) -> None:
    def follow_at_the_third_look(_: httpx.Request) -> None:
        if len(network.requests) == 3:
            deployments[:] = [deployment_of(2)]
            follower.follow_once()

    network.before = follow_at_the_third_look

    assert verify(deployment_of(2), timeout_s=60).version == 2


def test_a_server_that_does_not_follow_in_time_may_be_tried_again(
    verify: Callable[..., Verification], deployment_of: Any
) -> None:
    with pytest.raises(ModelServerUnavailableError, match=r"version 2 is not served.* it serves version 1"):
        verify(deployment_of(2))


def test_a_server_that_is_away_may_be_tried_again(
    verify: Callable[..., Verification], network: Network, deployment_of: Any
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    network.before = refuse

    with pytest.raises(ModelServerUnavailableError, match="does not answer: connection refused"):
        verify(deployment_of(1))


def test_a_version_that_the_server_refused_is_named_with_the_reason_at_once(
    verify: Callable[..., Verification],
    follower: Follower,
    deployments: list[Deployment],
    deployment_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tampered(_: Deployment) -> Any:
        raise UntrustedModelError("model.skops differs from its digest")

    monkeypatch.setattr(follower, "_load", tampered)
    deployments[:] = [deployment_of(2)]
    follower.follow_once()

    with pytest.raises(VerificationError, match=r"refuses .*digest; it still serves version 1"):
        verify(deployment_of(2), timeout_s=60)


def test_a_deployment_that_was_replaced_is_refused(
    verify: Callable[..., Verification],
    follower: Follower,
    deployments: list[Deployment],
    deployment_of: Any,
) -> None:
    deployments[:] = [deployment_of(3)]
    follower.follow_once()

    with pytest.raises(VerificationError, match="was replaced by version 3"):
        verify(deployment_of(2), timeout_s=60)


def test_the_same_version_from_other_files_is_refused(
    verify: Callable[..., Verification], deployment_of: Any
) -> None:
    deployment = deployment_of(1)
    other = VersionRecord(**{**deployment.version.model_dump(), "digest": "f" * 64})

    with pytest.raises(VerificationError, match="is served from other files"):
        verify(deployment.model_copy(update={"version": other}), timeout_s=60)


def test_predictions_that_differ_from_the_models_own_are_refused(
    verify: Callable[..., Verification], model: LoadedModel, deployment_of: Any
) -> None:
    class Other(LoadedModel):
        def predict(self, frame: Any) -> Predictions:
            own = model.predict(frame)
            return replace(own, scores=own.scores + np.array([0.0, 0.0, 1e-4]))

    other = Other(**{field.name: getattr(model, field.name) for field in fields(model)})

    with pytest.raises(VerificationError, match="answers record 2"):
        verify(deployment_of(1), own=other)


def test_refused_records_are_named(network: Network) -> None:
    with (
        ModelServer(URL, transport=network.transport) as server,
        pytest.raises(InvalidRecordsError, match=r"records.0.carrier: Field required"),
    ):
        server.predict("flights", [{"distance": 1.0, "is_weekend": None}])


def test_something_else_at_the_address_is_named(network: Network) -> None:
    network.before = lambda _: httpx.Response(200, text="<html>another program</html>")

    with (
        ModelServer(URL, transport=network.transport) as server,
        pytest.raises(ModelServerUnavailableError, match="is no model server"),
    ):
        server.ready()
