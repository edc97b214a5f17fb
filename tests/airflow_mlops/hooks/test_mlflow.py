"""The connection of type ``mlflow`` becomes an address, credentials and a client."""

import json
import os

import pytest

from airflow_mlops.hooks.mlflow import MlflowHook
from servers import MlflowServer, free_port


def connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> MlflowHook:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", **fields}))
    return MlflowHook()


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "http://127.0.0.1", "port": 5001}, "http://127.0.0.1:5001"),
        ({"host": "mlflow.example"}, "http://mlflow.example:5000"),
        ({"host": "https://mlflow.example"}, "https://mlflow.example"),
        ({"host": "https://mlflow.example/team-a/"}, "https://mlflow.example/team-a"),
        ({"host": "mlflow.example", "schema": "https", "port": 8443}, "https://mlflow.example:8443"),
    ],
)
def test_the_tracking_uri_is_built_from_the_form(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], address: str
) -> None:
    assert connect(monkeypatch, **fields).tracking_uri == address


def test_credentials_never_appear_in_the_tracking_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, host="https://mlflow.example", login="ada", password="s3cret")
    assert "s3cret" not in hook.tracking_uri
    assert "ada" not in hook.tracking_uri


def test_a_connection_without_a_host_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"mlflow_default.*has no host"):
        _ = connect(monkeypatch).tracking_uri


def test_credentials_reach_mlflow_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "before")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "before")
    connect(monkeypatch, host="http://127.0.0.1", port=1, login="ada", password="s3cret").get_conn()
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ada"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "s3cret"


def test_links_lead_where_browsers_find_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    internal = {"host": "http://mlflow", "port": 5000}
    hook = connect(monkeypatch, **internal, extra={"ui_url": "https://mlflow.example/team-a/"})
    assert hook.run_url("r", experiment_id="1") == "https://mlflow.example/team-a/#/experiments/1/runs/r"
    assert hook.tracking_uri == "http://mlflow:5000"

    for empty in ({}, {"ui_url": ""}, {"ui_url": None}):
        hook = connect(monkeypatch, **internal, extra=empty)
        assert hook.run_url("r", experiment_id="1") == "http://mlflow:5000/#/experiments/1/runs/r"


@pytest.mark.parametrize(
    "wrong",
    [
        "javascript:alert(1)",
        "mlflow.example",
        "https://",
        "ftp://mlflow.example",
        "https://ada:s3cret@host",
        5,
    ],
)
def test_what_is_no_address_for_a_link_is_named_and_never_becomes_one(
    monkeypatch: pytest.MonkeyPatch, wrong: object
) -> None:
    hook = connect(monkeypatch, host="http://mlflow", port=5000, extra={"ui_url": wrong})

    with pytest.raises(ValueError, match=r"ui_url of connection 'mlflow_default'.*set it to http://") as told:
        _ = hook.ui_url
    assert "s3cret" not in str(told.value)
    assert hook.run_url("r", experiment_id="1").startswith("http://mlflow:5000/")


@pytest.mark.integration
def test_the_connection_test_tells_of_an_address_that_links_cannot_have(
    monkeypatch: pytest.MonkeyPatch, mlflow_server: MlflowServer
) -> None:
    works, message = connect(
        monkeypatch, host=mlflow_server.uri, extra={"ui_url": "nowhere"}
    ).test_connection()
    assert not works
    assert "ui_url" in message


@pytest.mark.integration
def test_the_connection_test_passes_where_a_server_answers(
    monkeypatch: pytest.MonkeyPatch, mlflow_server: MlflowServer
) -> None:
    works, message = connect(monkeypatch, host=mlflow_server.uri).test_connection()
    assert works, message
    assert mlflow_server.uri in message


def test_the_connection_test_fails_where_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    works, message = connect(monkeypatch, host="http://127.0.0.1", port=free_port()).test_connection()
    assert not works
    assert "did not answer" in message or "refused" in message
