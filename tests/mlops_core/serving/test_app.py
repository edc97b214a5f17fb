"""The model server's answers, without its process."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_core.models.stored import LoadedModel, Predictions
from mlops_core.serving.app import create_app
from mlops_core.serving.follower import Follower
from mlops_core.serving.metrics import ServerMetrics
from mlops_core.serving.settings import ServerSettings

GOOD = {"distance": 512.5, "carrier": "UA", "is_weekend": True}


def post(client: TestClient, *records: object, model: str = "flights") -> Any:
    return client.post(f"/models/{model}/predict", content=json.dumps({"records": records}))


def sample(client: TestClient, name: str) -> float | None:
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), None)


def test_records_are_predicted_by_the_version_that_is_deployed(client: TestClient) -> None:
    response = post(client, GOOD, {**GOOD, "distance": 2800})

    answer = response.json()
    assert response.status_code == 200
    assert (answer["model"], answer["version"], answer["digest"]) == ("flights", 1, f"{1:064x}")
    first, second = answer["predictions"]
    assert (first["label"], second["label"]) == (0, 1)
    assert 0 < first["score"] < 0.5 < second["score"] < 1


def test_the_answer_is_what_the_model_says_to_the_last_digit(client: TestClient, model: LoadedModel) -> None:
    record = {"distance": 1000.1, "carrier": "AA", "is_weekend": None}
    frame = model.input_example.head(1).assign(distance=1000.1, carrier="AA", is_weekend=np.nan)

    (prediction,) = post(client, record).json()["predictions"]

    assert prediction["score"] == float(model.predict(frame).scores[0])


def test_a_bad_field_is_422_with_its_place(client: TestClient) -> None:
    response = post(client, GOOD, {**GOOD, "distance": "far"})

    assert response.status_code == 422
    assert response.json() == {
        "detail": [{"loc": ["records", 1, "distance"], "msg": "Input should be a valid number"}]
    }


def test_a_category_that_the_model_never_saw_is_422(client: TestClient) -> None:
    response = post(client, {**GOOD, "carrier": "ZZ"})

    (problem,) = response.json()["detail"]
    assert response.status_code == 422
    assert problem["loc"] == ["records"]
    assert "ZZ" in problem["msg"]


def test_a_score_that_is_not_finite_is_422_and_names_the_record(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.array([0.5, np.nan])
    monkeypatch.setattr(
        LoadedModel, "predict", lambda *_: Predictions(scores=scores, labels=np.array([0, 1]))
    )

    response = post(client, GOOD, GOOD)

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["records", 1]


def test_a_model_that_is_not_deployed_is_404_and_names_those_that_are(client: TestClient) -> None:
    response = post(client, GOOD, model="fares")

    assert response.status_code == 404
    assert "served models: flights" in response.json()["detail"][0]["msg"]


def test_a_body_over_the_limit_is_413(client: TestClient) -> None:
    response = client.post("/models/flights/predict", content=b"x" * 20_001)

    assert response.status_code == 413
    assert "20000 bytes" in response.json()["detail"][0]["msg"]


def test_a_body_over_the_limit_that_does_not_announce_its_length_is_413(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 1000] * 50

    assert client.post("/models/flights/predict", content=chunks()).status_code == 413


def test_more_records_than_allowed_are_422(client: TestClient) -> None:
    response = post(client, *[GOOD] * 101)

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["records"]


def test_a_bug_in_a_model_is_500_and_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Predictions:
        raise RuntimeError("a bug")

    monkeypatch.setattr(LoadedModel, "predict", fail)

    assert post(client, GOOD).status_code == 500
    assert sample(client, 'mlops_requests_total{model="flights",status="500",version="1"}') == 1


def test_a_model_that_is_deployed_but_not_loaded_yet_is_503(
    metrics: ServerMetrics, deployments: list[Any]
) -> None:
    def unavailable(_: object) -> Any:
        raise OSError("not yet")

    follower = Follower(deployments=lambda: tuple(deployments), load=unavailable, metrics=metrics)
    follower.follow_once()
    client = TestClient(create_app(follower, settings=ServerSettings(), metrics=metrics))

    response = post(client, GOOD)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert client.get("/ready").status_code == 503


def test_requests_beyond_the_limit_are_503_and_those_before_are_answered(
    follower: Follower, metrics: ServerMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.follow_once()
    app = create_app(follower, settings=ServerSettings(max_concurrent_requests=1), metrics=metrics)
    began, proceed = threading.Event(), threading.Event()
    predict = LoadedModel.predict

    def wait(self: LoadedModel, frame: Any) -> Predictions:
        began.set()
        assert proceed.wait(30)
        return predict(self, frame)

    monkeypatch.setattr(LoadedModel, "predict", wait)
    with TestClient(app) as client:
        statuses: list[int] = []
        first = threading.Thread(target=lambda: statuses.append(post(client, GOOD).status_code))
        first.start()
        assert began.wait(30)
        second = post(client, GOOD).status_code
        healthy = client.get("/health").status_code
        proceed.set()
        first.join()

    assert (statuses, second, healthy) == ([200], 503, 200)


def test_ready_answers_for_a_version_by_name(client: TestClient) -> None:
    assert client.get("/ready").status_code == 200
    assert client.get("/ready", params={"model": "flights"}).status_code == 200
    assert client.get("/ready", params={"model": "flights", "version": 1}).status_code == 200
    assert client.get("/ready", params={"model": "flights", "version": 2}).status_code == 503
    assert client.get("/ready", params={"model": "fares"}).status_code == 503


@pytest.mark.parametrize("version", ["nan", "1e400", "-1", "0", "x" * 5000, "9" * 30])
def test_a_bad_version_is_422_and_is_not_repeated(client: TestClient, version: str) -> None:
    response = client.get("/ready", params={"model": "flights", "version": version})

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", "version"]
    assert len(response.content) < 500


def test_models_lists_a_record_that_the_model_accepts(client: TestClient) -> None:
    (described,) = client.get("/models").json()

    assert described["features"] == {"distance": "double", "carrier": "string", "is_weekend": "boolean"}
    assert post(client, described["example"]).status_code == 200


def test_requests_and_rows_are_counted_by_version(client: TestClient) -> None:
    post(client, GOOD, GOOD)
    post(client, {})
    post(client, GOOD, model="fares")

    assert sample(client, 'mlops_requests_total{model="flights",status="200",version="1"}') == 1
    assert sample(client, 'mlops_requests_total{model="flights",status="422",version="1"}') == 1
    assert sample(client, 'mlops_requests_total{model="none",status="404",version="none"}') == 1
    assert sample(client, 'mlops_rows_predicted_total{model="flights",version="1"}') == 2
    assert sample(client, 'mlops_request_duration_seconds_count{model="flights"}') == 2
    assert sample(client, "mlops_requests_in_flight") == 0


def test_names_from_outside_never_become_labels(client: TestClient) -> None:
    for number in range(20):
        post(client, GOOD, model=f"made_up_{number}")

    assert "made_up" not in client.get("/metrics").text


def test_the_schema_for_tools_names_the_routes(client: TestClient) -> None:
    assert set(client.get("/openapi.json").json()["paths"]) == {
        "/models/{name}/predict",
        "/models",
        "/health",
        "/ready",
        "/metrics",
    }
    assert client.get("/docs").status_code == 404


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=3)
carriers = st.sampled_from(["AA", "UA", "ZZ", ""]) | values
records = st.fixed_dictionaries(
    {"distance": st.floats() | st.integers() | values, "carrier": carriers},
    optional={"is_weekend": st.booleans() | values, "extra": values},
)
bodies = st.one_of(
    st.binary(max_size=100),
    st.lists(records, max_size=4).map(lambda content: json.dumps({"records": content}).encode()),
    values.map(lambda content: json.dumps({"records": content}).encode()),
    values.map(lambda content: json.dumps(content).encode()),
)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=bodies)
def test_no_body_makes_the_server_fail(client: TestClient, content: bytes) -> None:
    response = client.post("/models/flights/predict", content=content)

    assert response.status_code in (200, 422)
    if response.status_code == 422:
        detail = response.json()["detail"]
        assert 1 <= len(detail) <= 20
        assert all(set(problem) == {"loc", "msg"} for problem in detail)
