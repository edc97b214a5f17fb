import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.errors import PlatformError

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
    sent = json.loads(request.content)
    assert sent.pop("dag_run_id").startswith("manual__")
    assert sent == {
        "logical_date": None,
        "conf": {"reason": "why"},
        "partition_key": "2013-01",
    }
    assert request.headers["Authorization"] == "Bearer token 1"


def test_a_refused_conf_is_reported_with_the_apis_reason(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["/api/v2/dags/life__train/dagRuns"] = answer(400, detail="seed: -1 is less than 0")

    with pytest.raises(PlatformError, match="400 seed: -1 is less than 0"):
        client.trigger("life__train", conf={"seed": -1})


def test_a_trigger_whose_answer_is_lost_finds_the_run_that_it_made(
    airflow: Airflow, client: AirflowClient
) -> None:
    made: dict[str, dict[str, str]] = {}

    def make_and_lose(request: httpx.Request) -> httpx.Response:
        run_id = json.loads(request.content)["dag_run_id"]
        if run_id in made:
            return httpx.Response(409, json={"detail": "there is one"})
        made[run_id] = RUN | {"dag_run_id": run_id}
        airflow.answers[f"/api/v2/dags/life__train/dagRuns/{run_id}"] = answer(**made[run_id])
        raise httpx.ReadTimeout("lost")

    airflow.answers["/api/v2/dags/life__train/dagRuns"] = make_and_lose

    run = client.trigger("life__train")

    assert [run.run_id] == list(made)


def test_a_trigger_that_met_a_locked_database_is_sent_again(airflow: Airflow, client: AirflowClient) -> None:
    asked_for: list[str] = []

    def be_locked_once(request: httpx.Request) -> httpx.Response:
        asked_for.append(json.loads(request.content)["dag_run_id"])
        locked = len(asked_for) == 1
        return httpx.Response(500 if locked else 200, json=RUN | {"dag_run_id": asked_for[-1]})

    airflow.answers["/api/v2/dags/life__train/dagRuns"] = be_locked_once

    run = client.trigger("life__train")

    assert asked_for == [run.run_id, run.run_id]


TASK = "/api/v2/dags/life__train/dagRuns/manual__1/taskInstances/approve/-1/hitlDetails"


def test_a_waiting_task_is_answered_with_an_option_and_fields(
    airflow: Airflow, client: AirflowClient
) -> None:
    airflow.answers[TASK] = answer()

    client.answer(DagRun.model_validate(RUN), "approve", option="Approve", fields={"reason": "fine"})

    (request,) = airflow.requests
    assert request.method == "PATCH"
    assert json.loads(request.content) == {
        "chosen_options": ["Approve"],
        "params_input": {"reason": "fine"},
    }


@pytest.mark.parametrize(("given", "is_ours"), [("Approve", True), ("Reject", False)])
def test_an_answer_that_came_first_is_only_accepted_if_it_is_the_same(
    airflow: Airflow, client: AirflowClient, given: str, is_ours: bool
) -> None:
    def conflict(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            return httpx.Response(409, json={"detail": "answered already"})
        return httpx.Response(200, json={"chosen_options": [given], "params_input": {"reason": "fine"}})

    airflow.answers[TASK] = conflict
    run, fields = DagRun.model_validate(RUN), {"reason": "fine"}

    if is_ours:
        client.answer(run, "approve", option="Approve", fields=fields)
    else:
        with pytest.raises(PlatformError, match="409 answered already"):
            client.answer(run, "approve", option="Approve", fields=fields)


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
