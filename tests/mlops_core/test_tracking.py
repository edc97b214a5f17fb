"""Runs are found by operation key, and an absent server is an error of its own."""

import os
import subprocess
import sys

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import OperationalError

from mlops_core.errors import DeclarationError, RegistryUnavailableError
from mlops_core.tracking import (
    CLIENT_DEFAULTS,
    OPERATION_KEY_TAG,
    adopt_or_create_run,
    equality_filter,
    find_run,
    finish_run,
    is_absent,
    registry_errors,
    tracking_client,
)
from servers import MlflowServer, free_port


@pytest.fixture
def client(local_tracking_uri: str) -> MlflowClient:
    return tracking_client(local_tracking_uri)


def adopt(client: MlflowClient, key: str, *, experiment: str = "tracking") -> Run:
    run_id = adopt_or_create_run(
        client, experiment=experiment, operation_key=key, run_name="toy", tags={"colour": "red"}
    )
    return client.get_run(run_id)


def runs_of(client: MlflowClient, key: str, *, experiment: str = "tracking") -> list[Run]:
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    return list(client.search_runs([experiment_id], filter_string=f"tags.`{OPERATION_KEY_TAG}` = '{key}'"))


def test_only_the_answer_that_there_is_no_such_thing_means_that_it_is_absent(client: MlflowClient) -> None:
    with pytest.raises(MlflowException) as absent:
        client.get_run("0" * 32)
    with pytest.raises(MlflowException) as wrong:
        client.search_runs(["0"], filter_string="no filter")

    assert is_absent(absent.value)
    assert not is_absent(wrong.value)
    assert not is_absent(RestException({"error_code": "ENDPOINT_NOT_FOUND", "message": "404"}))


def test_a_new_key_makes_a_run_that_carries_it(client: MlflowClient) -> None:
    run = adopt(client, "new")

    assert run.data.tags[OPERATION_KEY_TAG] == "new"
    assert run.data.tags["colour"] == "red"
    assert run.info.status == "RUNNING"


def test_the_same_key_gives_the_same_run(client: MlflowClient) -> None:
    assert adopt(client, "twice").info.run_id == adopt(client, "twice").info.run_id
    assert len(runs_of(client, "twice")) == 1


def test_other_keys_and_other_experiments_have_runs_of_their_own(client: MlflowClient) -> None:
    ids = {
        adopt(client, "mine").info.run_id,
        adopt(client, "mine/2").info.run_id,
        adopt(client, "mine", experiment="another").info.run_id,
    }

    assert len(ids) == 3


def test_a_failed_run_runs_again_when_it_is_adopted(client: MlflowClient) -> None:
    run = adopt(client, "failed")
    finish_run(client, run.info.run_id, succeeded=False)
    assert client.get_run(run.info.run_id).info.status == "FAILED"

    assert adopt(client, "failed").info.status == "RUNNING"


def test_a_finished_run_stays_finished_when_it_is_adopted(client: MlflowClient) -> None:
    run = adopt(client, "finished")
    finish_run(client, run.info.run_id, succeeded=True)

    assert adopt(client, "finished").info.status == "FINISHED"


def test_a_create_call_whose_reply_was_lost_leaves_one_run(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run = client.create_run

    def create_twice(*args: object, **kwargs: object) -> Run:
        create_run(*args, **kwargs)
        return create_run(*args, **kwargs)

    monkeypatch.setattr(client, "create_run", create_twice)

    run = adopt(client, "lost reply")

    kept = runs_of(client, "lost reply")
    assert [other.info.run_id for other in kept] == [run.info.run_id]
    assert adopt(client, "lost reply").info.run_id == run.info.run_id


def test_the_oldest_of_several_runs_is_kept(client: MlflowClient) -> None:
    experiment_id = client.get_run(adopt(client, "warm up").info.run_id).info.experiment_id
    tags = {OPERATION_KEY_TAG: "many"}
    starts = [3000, 1000, 2000]
    made = {start: client.create_run(experiment_id, start_time=start, tags=tags) for start in starts}

    found = find_run(client, experiment_id=experiment_id, operation_key="many")

    assert found is not None
    assert found.info.run_id == made[1000].info.run_id


def test_an_experiment_that_another_process_makes_meanwhile_is_used(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_experiment = client.create_experiment

    def lose_the_race(name: str) -> str:
        create_experiment(name)
        return str(create_experiment(name))

    monkeypatch.setattr(client, "create_experiment", lose_the_race)

    assert adopt(client, "race", experiment="raced").info.status == "RUNNING"


def test_a_deleted_experiment_is_named_with_the_way_out(client: MlflowClient) -> None:
    run = adopt(client, "key", experiment="deleted")
    client.delete_experiment(run.info.experiment_id)

    with pytest.raises(DeclarationError, match="'deleted' is deleted; restore it"):
        adopt(client, "key", experiment="deleted")


@pytest.mark.parametrize("value", ["plain", "it's", 'say "so"', "a = b OR tags.x = y"])
def test_a_searched_value_stays_a_value(client: MlflowClient, value: str) -> None:
    made = adopt(client, value, experiment="quotes")

    found = find_run(client, experiment_id=made.info.experiment_id, operation_key=value)

    assert found is not None
    assert found.info.run_id == made.info.run_id


def test_a_value_with_both_quotes_is_refused() -> None:
    with pytest.raises(DeclarationError, match="use no quotes"):
        equality_filter("tags.a", "'\"")


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
        OperationalError("SELECT 1", {}, Exception("database is locked")),
        RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}),
        RestException({"error_code": "INTERNAL_ERROR", "message": "broken"}),
        RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}),
    ],
)
def test_a_server_that_does_not_answer_is_unavailable(error: Exception) -> None:
    with (
        pytest.raises(RegistryUnavailableError, match="trying to count runs") as raised,
        registry_errors("count runs"),
    ):
        raise error
    assert raised.value.__cause__ is error


def test_a_transport_error_inside_mlflows_own_is_unavailable() -> None:
    # As MLflow does it: raised while the other is handled, without `from`.
    error = MlflowException("API request failed")
    error.__context__ = requests.ConnectionError("refused")

    with pytest.raises(RegistryUnavailableError), registry_errors("count runs"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        MlflowException("the signature is wrong"),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}),
        RestException({"error_code": "PERMISSION_DENIED", "message": "not yours"}),
    ],
)
def test_the_callers_own_mistakes_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, registry_errors("count runs"):
        raise error
    assert raised.value is error


def test_nested_uses_translate_once() -> None:
    with (
        pytest.raises(RegistryUnavailableError, match="count runs") as raised,
        registry_errors("do it all"),
        registry_errors("count runs"),
    ):
        raise TimeoutError
    assert isinstance(raised.value.__cause__, TimeoutError)


@pytest.mark.slow
def test_a_client_bounds_its_retries_unless_the_environment_says_otherwise() -> None:
    code = (
        "import os\n"
        "from mlops_core.tracking import tracking_client\n"
        "tracking_client('http://127.0.0.1:1')\n"
        "print(os.environ['MLFLOW_HTTP_REQUEST_MAX_RETRIES'], os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in CLIENT_DEFAULTS}
    environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "7"

    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == [CLIENT_DEFAULTS["MLFLOW_HTTP_REQUEST_MAX_RETRIES"], "7"]


@pytest.mark.integration
def test_no_server_at_all_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = tracking_client(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(RegistryUnavailableError, match="is its server up"):
        adopt(client, "nobody")


@pytest.mark.integration
def test_a_server_that_comes_back_still_knows_the_run(
    mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = tracking_client(mlflow_server.uri)
    before = adopt(client, "outage")

    with mlflow_server.down(), pytest.raises(RegistryUnavailableError):
        adopt(client, "outage")

    assert adopt(client, "outage").info.run_id == before.info.run_id
    assert len(runs_of(client, "outage")) == 1
