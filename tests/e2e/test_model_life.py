"""A model's life under the real scheduler, with the real servers, through Airflow's API."""

import json
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from embedded_platform import OwnPlatform
from following import ANSWER_WITHIN_S, Follower

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

HISTORY = ("2013-01", "2013-02", "2013-03")


@pytest.fixture(scope="module")
def follower(toy_platform: OwnPlatform) -> Any:
    """The model ``life`` with three partitions and a champion."""
    with toy_platform.api() as api:
        follower = Follower(toy_platform, api)
        follower.unpause("life__ingest", "life__train")
        for run in [follower.trigger("life__ingest", partition_key=partition) for partition in HISTORY]:
            follower.succeed(run)
        follower.succeed(
            follower.trigger("life__train", conf={"reason": "the first", "candidates": ["line"]})
        )
        follower.unpause("life__score", "life__monitor", "mlops__rollback", "mlops__reconcile")
        yield follower


def predict(follower: Follower) -> dict[str, Any]:
    server = follower.platform.record.ports.model_server_url
    record = {"amount": 0.1, "colour": "red", "count": 3, "member": True}
    url, asked = f"{server}/models/life/predict", {"records": [record]}
    answer = httpx.post(url, json=asked, timeout=ANSWER_WITHIN_S)
    body: dict[str, Any] = answer.raise_for_status().json()
    return body


def test_the_first_champion_is_served_by_the_version_that_the_ledger_names(follower: Follower) -> None:
    champion = follower.ledger.history("life")[0]
    assert champion.kind == "promote"
    assert "no champion" in champion.reason
    assert champion.actor == "admin"
    verified = follower.xcom("life__train", "verify")
    assert verified["version"] == champion.version
    assert verified["digest"] == champion.digest


def test_a_new_partition_is_scored_and_watched_without_anyone_asking(follower: Follower) -> None:
    follower.succeed(follower.trigger("life__ingest", partition_key="2013-04"))

    scored = follower.succeed(follower.caused("life__score", partition_key="2013-04"))
    watched = follower.succeed(
        follower.caused("life__monitor", partition_key="2013-04"), skipped={"request_retraining"}
    )

    predictions = follower.api.xcom(scored, "score")
    assert predictions["rows"] == 200
    assert predictions["version"]["version"] == follower.ledger.history("life")[0].version
    assert follower.api.xcom(watched, "watch")["partition"] == "2013-04"
    assert follower.api.xcom(watched, "decide")["answer"] in {"wait", "refuse"}


def test_a_scored_window_is_watched_again_when_a_person_asks(follower: Follower) -> None:
    watched = follower.succeed(
        follower.trigger("life__monitor", partition_key="2013-04"), skipped={"request_retraining"}
    )
    assert follower.api.xcom(watched, "watch")["partition"] == "2013-04"

    failed = follower.fail(follower.trigger("life__monitor"))
    assert "trigger the run with a partition key" in follower.log(failed, "watch")


@pytest.mark.parametrize("kind", ["half", "empty", "missing", "retyped", "renamed"])
def test_a_bad_delivery_is_refused_and_nothing_downstream_runs(follower: Follower, kind: str) -> None:
    before = follower.api.runs("life__score")
    partition = f"{kind}-1"

    failed = follower.fail(follower.trigger("life__ingest", partition_key=partition))

    tasks = {task.task_id: task for task in follower.api.task_instances(failed)}
    assert tasks["publish"].state == "upstream_failed"
    assert max(task.try_number for task in tasks.values()) == 1, "bad data were tried again"
    assert follower.api.runs("life__score") == before
    kept = follower.platform.home.root / "data" / "quarantine" / "life" / partition
    if kind != "empty":
        (validation,) = kept.glob("*/validation.json")
        assert json.loads(validation.read_text())["success"] is False


def test_a_worse_challenger_is_refused_by_the_gate_with_its_numbers(follower: Follower) -> None:
    follower.succeed(follower.trigger("life__train", conf={"candidates": ["trees"]}))
    assert follower.ledger.state("life").champion is not None

    failed = follower.fail(follower.trigger("life__train", conf={"candidates": ["line"]}))

    states = {task.task_id: task.state for task in follower.api.task_instances(failed)}
    assert states["gate"] == "failed"
    assert states["register"] == "upstream_failed"
    log = follower.log(failed, "gate")
    assert "roc_auc" in log
    assert "0.08" in log


def test_a_rollback_returns_to_the_former_version_and_the_next_one_is_refused(follower: Follower) -> None:
    first, second = follower.ledger.history("life")[:2]
    assert predict(follower)["version"] == second.version

    follower.succeed(follower.trigger("mlops__rollback", conf={"model": "life", "reason": "complaints"}))

    assert predict(follower)["version"] == first.version
    failed = follower.fail(follower.trigger("mlops__rollback", conf={"model": "life", "reason": "again"}))
    assert "there is no version before" in follower.log(failed, "roll_back")
    assert predict(follower)["version"] == first.version


def test_an_alias_moved_by_hand_is_healed_and_reported(follower: Follower) -> None:
    first, second = follower.ledger.history("life")[:2]
    client = MlflowClient(follower.platform.record.ports.mlflow_url)
    client.set_registered_model_alias("life", "champion", str(second.version))

    follower.succeed(follower.trigger("mlops__reconcile"))

    healed = client.get_model_version_by_alias("life", "champion")
    assert int(healed.version) == first.version
    # The hourly run may have come first.
    runs = [run for run in follower.api.runs("mlops__reconcile") if run.state == "success"]
    changes = [change for run in runs for change in follower.api.xcom(run, "reconcile")["changes"]]
    assert {
        "model": "life",
        "alias": "champion",
        "found": second.version,
        "expected": first.version,
        "by_hand": True,
    } in changes


@pytest.mark.parametrize(
    ("dag_id", "conf", "said"),
    [
        ("life__train", {"seed": "seven"}, "seed"),
        ("life__train", {"candidates": ["forest"]}, "candidates"),
        ("life__train", {"candidates": []}, "candidates"),
        ("mlops__rollback", {"model": "../life", "reason": "no"}, "model"),
        ("mlops__rollback", {"model": "life"}, "reason"),
    ],
)
def test_conf_outside_the_schema_is_a_400_that_names_the_field(
    follower: Follower, dag_id: str, conf: dict[str, Any], said: str
) -> None:
    refused = follower.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
    assert refused.status_code == 400
    assert said in refused.text


def test_a_conf_key_that_is_unknown_fails_the_first_task_and_names_the_known_ones(follower: Follower) -> None:
    failed = follower.fail(follower.trigger("life__train", conf={"image": "evil:latest"}))
    assert "conf has unknown keys: image; known keys: candidates, reason, seed" in follower.log(
        failed, "plan"
    )


def test_a_task_links_to_its_evidence_also_when_it_failed(follower: Follower) -> None:
    failed = follower.fail(follower.trigger("life__ingest", partition_key="half-2"))
    links = follower.get(
        f"/api/v2/dags/life__ingest/dagRuns/{failed.run_id}/taskInstances/validate/links"
    ).json()
    page = links["extra_links"]["Validation"]
    assert page

    shown = follower.get(page)
    assert shown.status_code == 200
    assert "half-2" in shown.text
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert httpx.get(follower.url + page, timeout=ANSWER_WITHIN_S).status_code == 401
    assert follower.get(page.replace("life__ingest", "outage__ingest")).status_code == 404
    for path in ("life/../../passwords.json", "life/../outage/validation", "life/../../mlflow/mlflow.db"):
        assert follower.get(f"/mlops/reports?dag_id=life__ingest&path={path}").status_code == 404


def test_the_mlflow_connection_can_be_tested_from_the_form(follower: Follower) -> None:
    mlflow = follower.platform.record.ports.mlflow_url
    host, _, port = mlflow.rpartition(":")
    body = {"connection_id": "probe", "conn_type": "mlflow", "host": host, "port": int(port)}
    assert follower.post("/api/v2/connections/test", body).json()["status"] is True
    assert follower.post("/api/v2/connections/test", {**body, "port": 1}).json()["status"] is False
