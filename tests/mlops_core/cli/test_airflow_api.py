import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.errors import PlatformError, ServiceUnavailableError

Answer = Callable[[httpx.Request], httpx.Response]
RUN = {"dag_id": "life__train", "dag_run_id": "manual__1", "state": "queued", "run_type": "manual"}


class Airflow:
    """Answers as Airflow's API does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.logins = 0
        self.answers: dict[str, Answer] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            self.logins += 1
            known = json.loads(request.content) == {"username": "admin", "password": "open"}
            return httpx.Response(201 if known else 401, json={"access_token": f"token {self.logins}"})
        self.requests.append(request)
        return self.answers[request.url.path](request)


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


def connect(airflow: Airflow, password: str) -> AirflowClient:
    return AirflowClient(
        "http://airflow", user="admin", password=password, pause_s=0, transport=httpx.MockTransport(airflow)
    )


@pytest.fixture
def client(airflow: Airflow) -> Iterator[AirflowClient]:
    with connect(airflow, "open") as client:
        yield client


def answer(status: int = 200, **body: Any) -> Answer:
    return lambda _: httpx.Response(status, json=body)


def test_a_run_is_triggered_with_its_conf_and_partition(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["/api/v2/dags/life__train/dagRuns"] = answer(**RUN)

    run = client.trigger("life__train", conf={"reason": "why"}, partition_key="2013-01")

    assert run.run_id == "manual__1"
    (request,) = airflow.requests
    assert json.loads(request.content) == {
        "logical_date": None,
        "conf": {"reason": "why"},
        "partition_key": "2013-01",
    }
    assert request.headers["Authorization"] == "Bearer token 1"


def test_a_refused_conf_is_reported_with_the_apis_reason(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["/api/v2/dags/life__train/dagRuns"] = answer(400, detail="seed: -1 is less than 0")

    with pytest.raises(PlatformError, match="400 seed: -1 is less than 0"):
        client.trigger("life__train", conf={"seed": -1})


def test_a_trigger_whose_answer_is_lost_is_not_repeated(airflow: Airflow, client: AirflowClient) -> None:
    def lose(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("lost")

    airflow.answers["/api/v2/dags/life__train/dagRuns"] = lose

    with pytest.raises(ServiceUnavailableError, match="did not answer POST"):
        client.trigger("life__train")
    assert len(airflow.requests) == 1


def test_a_read_is_repeated_until_it_is_answered(airflow: Airflow, client: AirflowClient) -> None:
    def answer_the_third(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if len(airflow.requests) == 3 else 503, json=RUN)

    airflow.answers["/api/v2/dags/life__train/dagRuns/manual__1"] = answer_the_third

    assert client.run("life__train", "manual__1").state == "queued"


def test_an_expired_token_is_renewed(airflow: Airflow, client: AirflowClient) -> None:
    def only_the_second_token(request: httpx.Request) -> httpx.Response:
        valid = request.headers["Authorization"] == "Bearer token 2"
        return httpx.Response(200 if valid else 401, json=RUN)

    airflow.answers["/api/v2/dags/life__train/dagRuns/manual__1"] = only_the_second_token

    assert client.run("life__train", "manual__1").run_id == "manual__1"
    assert airflow.logins == 2


def test_a_wrong_password_names_the_user_and_a_way_out(airflow: Airflow) -> None:
    with (
        connect(airflow, "shut") as client,
        pytest.raises(PlatformError, match=r"refused the user 'admin' .*MLOPS_AIRFLOW_PORT"),
    ):
        client.dag_ids()


def test_long_lists_are_read_to_their_end(airflow: Airflow, client: AirflowClient) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        dags = [{"dag_id": f"dag_{number:03}"} for number in range(offset, min(offset + 100, 150))]
        return httpx.Response(200, json={"dags": dags, "total_entries": 150})

    airflow.answers["/api/v2/dags"] = page

    assert len(client.dag_ids()) == 150


def test_an_absent_xcom_is_nothing(airflow: Airflow, client: AirflowClient) -> None:
    path = "/api/v2/dags/life__train/dagRuns/manual__1/taskInstances/plan/xcomEntries"
    airflow.answers[f"{path}/return_value"] = answer(404, detail="not found")
    airflow.answers[f"{path}/plan"] = answer(value={"generation": 3})
    run = DagRun.model_validate(RUN)

    assert client.xcom(run, "plan") is None
    assert client.xcom(run, "plan", key="plan") == {"generation": 3}


def test_a_log_tail_has_the_last_lines_and_the_errors_own_words(
    airflow: Airflow, client: AirflowClient
) -> None:
    content = [
        *({"event": f"line {number}", "level": "info"} for number in range(50)),
        {
            "event": "Task failed with exception",
            "level": "error",
            "error_detail": [{"exc_type": "GateRefusedError", "exc_value": "too low"}],
        },
    ]
    airflow.answers["/api/v2/dags/life__train/dagRuns/manual__1/taskInstances/gate/logs/2"] = answer(
        content=content
    )
    task = TaskInstance(task_id="gate", state="failed", try_number=2)

    tail = client.log_tail(DagRun.model_validate(RUN), task, lines=3)

    assert tail == "INFO line 49\nERROR Task failed with exception\n  GateRefusedError: too low"
