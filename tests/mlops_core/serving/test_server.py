"""The model server as a process, over a real ledger and a real MLflow server."""

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from mlops_core.errors import VerificationError
from mlops_core.models.stored import LoadedModel, load_model, log_model
from mlops_core.models.trust import AS_THE_FILES_SAY
from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Deployment, VersionRecord
from mlops_core.serving.client import ModelServer, verify_deployment
from mlops_core.tracking import adopt_or_create_run, tracking_client
from model_server import ModelServerProcess
from servers import MlflowServer, free_port
from signing_keys import signed

pytestmark = pytest.mark.integration

EVIDENCE = "e" * 64
RECORD = {"distance": 1.0, "delay": 0.5}


class Production:
    """Registers, promotes and deploys small models, as the training DAG does."""

    def __init__(self, home: Path, *, tracking_uri: str, name: str) -> None:
        self.home = home
        self.name = name
        self.tracking_uri = tracking_uri
        self.ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        self.records: dict[int, VersionRecord] = {}
        self._keys = (f"operation/{number}" for number in itertools.count())

    def register(self, version: int, *, is_signed: bool = True) -> VersionRecord:
        """Log a model whose probabilities are the version's own, and record it."""
        client = tracking_client(self.tracking_uri)
        key = f"{self.name}/{version}"
        run_id = adopt_or_create_run(client, experiment=self.name, operation_key=key, run_name=key, tags={})
        frame = pd.DataFrame({"distance": np.linspace(-2, 2, 20), "delay": np.linspace(1, -1, 20)})
        estimator = LogisticRegression(C=10.0**-version).fit(frame, (frame["distance"] > 0).astype(int))
        pipeline = Pipeline(
            name=self.name,
            task="binary_classification",
            loader="json:loads",
            target="late",
            candidates=(Candidate(name="logistic", fit="json:loads"),),
            gates=(AbsoluteGate(metric="roc_auc", minimum=0.5),),
        )
        model = log_model(
            client, run_id=run_id, estimator=estimator, pipeline=pipeline, input_example=frame.head(3)
        )
        record = VersionRecord(
            model=self.name,
            version=version,
            digest=model.digest,
            uri=model.uri,
            run_id=run_id,
            evidence_digest=EVIDENCE,
        )
        record = signed(record) if is_signed else record
        self.records[version] = record
        return self.ledger.record_version(record, operation_key=key, actor="a test")

    def deploy(self, version: int) -> Deployment:
        """Promote a version and tell the model server."""
        transition = self.ledger.promote(
            self.name,
            version=version,
            expected_generation=self.ledger.state(self.name).generation,
            operation_key=next(self._keys),
            evidence_digest=EVIDENCE,
            actor="a test",
            reason="",
        )
        return self._deploy(version, transition.generation)

    def roll_back(self) -> Deployment:
        """Return to the version before and tell the model server."""
        transition = self.ledger.roll_back(
            self.name, operation_key=next(self._keys), actor="a test", reason=""
        )
        return self._deploy(transition.version, transition.generation)

    def load(self, version: int) -> LoadedModel:
        return load_model(self.records[version], tracking_uri=self.tracking_uri, trusted=AS_THE_FILES_SAY)

    def verify(self, deployment: Deployment, server: ModelServerProcess, *, timeout_s: float = 60.0) -> None:
        verify_deployment(
            deployment,
            model_server_url=server.url,
            model=self.load(deployment.version.version),
            timeout_s=timeout_s,
            poll_interval_s=0.05,
        )

    def _deploy(self, version: int, generation: int) -> Deployment:
        return self.ledger.deploy(
            self.name,
            version=version,
            expected_generation=generation,
            operation_key=next(self._keys),
            actor="a test",
        )


@pytest.fixture
def production(mlflow_server: MlflowServer, tmp_path: Path, request: pytest.FixtureRequest) -> Production:
    """A ledger of its own; models' names differ because the tests share the MLflow server."""
    return Production(tmp_path / "home", tracking_uri=mlflow_server.uri, name=request.node.name[:60])


@pytest.fixture
def server(production: Production) -> Iterator[ModelServerProcess]:
    process = ModelServerProcess(production.home, tracking_uri=production.tracking_uri)
    process.wait_until_it_answers()
    yield process
    process.kill()


def predict(server: ModelServerProcess, name: str) -> httpx.Response:
    return httpx.post(f"{server.url}/models/{name}/predict", json={"records": [RECORD]}, timeout=30)


def test_swaps_under_load_drop_no_request(production: Production, server: ModelServerProcess) -> None:
    for version in (1, 2):
        production.register(version)
    production.verify(production.deploy(1), server)
    expected = {
        version: float(production.load(version).predict(pd.DataFrame([RECORD])).scores[0])
        for version in (1, 2)
    }
    answers: list[tuple[int, Any]] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not done.is_set():
                response = client.post(f"/models/{production.name}/predict", json={"records": [RECORD]})
                answers.append((response.status_code, response.json()))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(3):
            production.verify(production.deploy(2), server)
            production.verify(production.roll_back(), server)
    finally:
        done.set()
        for asker in askers:
            asker.join()

    assert {status for status, _ in answers} == {200}
    assert {answer["version"] for _, answer in answers} == {1, 2}
    for _, answer in answers:
        record = production.records[answer["version"]]
        assert answer["digest"] == record.digest
        assert answer["predictions"][0]["score"] == pytest.approx(expected[answer["version"]], abs=1e-12)


def test_a_tampered_version_is_refused_and_the_good_one_serves_on(
    production: Production, server: ModelServerProcess, mlflow_server: MlflowServer
) -> None:
    for version in (1, 2):
        production.register(version)
    production.verify(production.deploy(1), server)
    model_id = production.records[2].uri.removeprefix("models:/")
    (stored,) = mlflow_server.folder.glob(f"artifacts/**/{model_id}/**/model.skops")
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    own = production.load(1)

    with pytest.raises(VerificationError, match=r"refuses .*UntrustedModelError.*still serves version 1"):
        verify_deployment(
            production.deploy(2), model_server_url=server.url, model=own, timeout_s=60, poll_interval_s=0.05
        )

    assert predict(server, production.name).json()["version"] == 1
    assert httpx.get(f"{server.url}/ready").status_code == 200
    metrics = httpx.get(f"{server.url}/metrics").text
    assert f'mlops_deployment_broken{{model="{production.name}"}} 1.0' in metrics


def test_a_version_that_nobody_signed_is_refused_and_the_good_one_serves_on(
    production: Production, server: ModelServerProcess
) -> None:
    production.register(1)
    production.register(2, is_signed=False)
    production.verify(production.deploy(1), server)
    own = production.load(1)

    with pytest.raises(VerificationError, match=r"refuses .*UntrustedModelError.* is not signed"):
        verify_deployment(
            production.deploy(2), model_server_url=server.url, model=own, timeout_s=60, poll_interval_s=0.05
        )

    assert predict(server, production.name).json()["version"] == 1


def test_without_its_ledger_the_server_serves_on(production: Production, server: ModelServerProcess) -> None:
    for version in (1, 2):
        production.register(version)
    production.verify(production.deploy(1), server)
    deployment = production.deploy(2)
    production.verify(deployment, server)
    ledger, away = production.home / "ledger.db", production.home / "ledger.away"

    ledger.rename(away)
    ledger.mkdir()
    with ModelServer(server.url) as client:
        while not (report := client.ready()).ledger_problem:
            pass
    answer = predict(server, production.name)
    ledger.rmdir()
    away.rename(ledger)

    assert report.ready
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    production.verify(production.roll_back(), server)
    assert predict(server, production.name).json()["version"] == 1


def test_without_mlflow_a_version_served_before_comes_back_and_a_new_one_comes_with_mlflow(
    production: Production, server: ModelServerProcess, mlflow_server: MlflowServer
) -> None:
    for version in (1, 2, 3):
        production.register(version)
    production.verify(production.deploy(1), server)
    production.verify(production.deploy(2), server)
    models = {version: production.load(version) for version in (1, 3)}

    with mlflow_server.down():
        back = production.roll_back()
        verify_deployment(back, model_server_url=server.url, model=models[1], poll_interval_s=0.05)
        new = production.deploy(3)
        with ModelServer(server.url, timeout_s=30) as client:
            while not (status := client.ready().models[0]).problem:
                pass
        assert not status.problem_is_final
        assert predict(server, production.name).json()["version"] == 1

    verify_deployment(new, model_server_url=server.url, model=models[3], poll_interval_s=0.05)


def test_a_server_that_starts_without_a_ledger_lives_and_is_not_ready(tmp_path: Path) -> None:
    nowhere = f"postgresql+psycopg2://mlops@127.0.0.1:{free_port()}/ledger"
    process = ModelServerProcess(tmp_path, tracking_uri="http://127.0.0.1:9", MLOPS_LEDGER_URL=nowhere)
    try:
        process.wait_until_it_answers()

        assert httpx.get(f"{process.url}/health").status_code == 200
        ready = httpx.get(f"{process.url}/ready")
        assert ready.status_code == 503
    finally:
        process.kill()


def test_a_request_in_flight_is_answered_before_the_server_stops(
    production: Production, server: ModelServerProcess
) -> None:
    production.register(1)
    production.verify(production.deploy(1), server)
    body = json.dumps({"records": [RECORD]}).encode()
    head = _head(production.name, length=len(body))

    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head + body[:10])
        while "mlops_requests_in_flight 1.0" not in httpx.get(f"{server.url}/metrics").text:
            pass
        stopped: list[int] = []
        stopper = threading.Thread(target=lambda: stopped.append(server.terminate()))
        stopper.start()
        while _accepts(server.port):
            pass
        connection.sendall(body[10:])
        answer = connection.recv(65_536)
        stopper.join()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert stopped == [0]


def test_a_body_of_ten_megabytes_is_refused_and_the_connection_serves_on(
    production: Production, server: ModelServerProcess
) -> None:
    production.register(1)
    production.verify(production.deploy(1), server)
    path = f"/models/{production.name}/predict"

    with httpx.Client(base_url=server.url, timeout=60) as client:
        too_long = client.post(path, content=b" " * 10_000_000)
        too_many = client.post(path, json={"records": [RECORD] * 10_001})
        good = client.post(path, json={"records": [RECORD] * 10_000})

    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(_head(production.name, length=10_000_000))
        refused_unsent = connection.recv(65_536)

    assert too_long.status_code == 413
    assert refused_unsent.startswith(b"HTTP/1.1 413 ")
    assert too_many.status_code == 422
    assert (good.status_code, len(good.json()["predictions"])) == (200, 10_000)


def test_a_client_that_leaves_in_the_middle_harms_nobody(
    production: Production, server: ModelServerProcess
) -> None:
    production.register(1)
    production.verify(production.deploy(1), server)
    head = _head(production.name, length=1000)

    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head + b"{")
    while 'status="400"' not in httpx.get(f"{server.url}/metrics").text:
        pass

    assert predict(server, production.name).status_code == 200
    assert "Traceback" not in server.log.read_text()


def _head(name: str, *, length: int) -> bytes:
    return f"POST /models/{name}/predict HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n".encode()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:
        return False
    return True
