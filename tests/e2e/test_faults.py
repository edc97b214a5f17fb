"""Servers go away and tasks are killed under the real scheduler; every effect happens once."""

from typing import Any

import pytest
from mlflow import MlflowClient

from embedded_platform import OwnPlatform
from following import Follower

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture
def follower(toy_platform: OwnPlatform) -> Any:
    with toy_platform.api() as api:
        yield Follower(toy_platform, api)


def versions(follower: Follower, model: str) -> list[Any]:
    client = MlflowClient(follower.platform.record.ports.mlflow_url)
    return list(client.search_model_versions(f"name = '{model}'"))


def runs(follower: Follower, experiment: str) -> list[Any]:
    client = MlflowClient(follower.platform.record.ports.mlflow_url)
    found = client.get_experiment_by_name(experiment)
    return [] if found is None else list(client.search_runs([found.experiment_id]))


def test_killed_between_register_and_promote_there_is_one_version_and_ledger_and_alias_agree(
    follower: Follower,
) -> None:
    follower.unpause("killed")
    run = follower.succeed(follower.trigger("killed"))

    tries = {task.task_id: task.try_number for task in follower.api.task_instances(run)}
    assert tries["register"] == 2
    assert tries["promote"] == 2
    (version,) = versions(follower, "killed")
    (transition,) = follower.ledger.history("killed")
    champion = MlflowClient(follower.platform.record.ports.mlflow_url).get_model_version_by_alias(
        "killed", "champion"
    )
    assert int(version.version) == transition.version == int(champion.version)


def test_of_two_promotions_at_once_one_wins_and_the_loser_says_who(follower: Follower) -> None:
    follower.unpause("race")
    run = follower.fail(follower.trigger("race"))

    states = {
        task.task_id: task.state
        for task in follower.api.task_instances(run)
        if task.task_id.startswith("promote")
    }
    assert sorted(states.values()) == ["failed", "success"], follower.failures(run)
    (transition,) = follower.ledger.history("race")
    loser = next(name for name, state in states.items() if state == "failed")
    log = follower.log(run, loser)
    assert "PromotionConflictError" in log or "another transition" in log or "generation" in log
    assert f"version {transition.version}" in log


@pytest.fixture
def ingested(follower: Follower) -> None:
    follower.unpause("outage__ingest", "outage__train")
    for partition in ("2013-01", "2013-02"):
        follower.succeed(follower.trigger("outage__ingest", partition_key=partition))


@pytest.mark.usefixtures("ingested")
def test_a_training_outlives_an_mlflow_server_that_is_away_and_makes_one_run(follower: Follower) -> None:
    known_versions, known_runs = len(versions(follower, "outage")), len(runs(follower, "outage"))

    with follower.service_away("mlflow"):
        run = follower.trigger("outage__train", conf={"candidates": ["trees"], "seed": 1})
        follower.wait_for_task(run, "train", states={"up_for_retry"})
    follower.succeed(run)

    assert len(runs(follower, "outage")) == known_runs + 1
    assert len(versions(follower, "outage")) == known_versions + 1


@pytest.mark.usefixtures("ingested")
def test_a_registration_outlives_an_mlflow_server_that_is_away_and_makes_one_version(
    follower: Follower,
) -> None:
    known_versions, known_runs = len(versions(follower, "outage")), len(runs(follower, "outage"))

    run = follower.trigger("outage__train", conf={"candidates": ["trees"], "seed": 2})
    follower.wait_for_task(run, "gate", states={"success"})
    with follower.service_away("mlflow"):
        follower.wait_for_task(run, "register", states={"up_for_retry"})
    follower.succeed(run)

    assert len(runs(follower, "outage")) == known_runs + 1
    assert len(versions(follower, "outage")) == known_versions + 1


def test_a_mistake_in_the_models_code_is_not_tried_again(follower: Follower) -> None:
    follower.unpause("mistaken__ingest", "mistaken__train")
    for partition in ("2013-01", "2013-02"):
        follower.succeed(follower.trigger("mistaken__ingest", partition_key=partition))

    failed = follower.fail(follower.trigger("mistaken__train"))

    (train,) = [task for task in follower.api.task_instances(failed) if task.task_id == "train"]
    assert train.try_number == 1
    assert "no_such_method" in follower.log(failed, "train")


def test_a_tracked_task_has_one_run_however_often_it_is_tried(follower: Follower) -> None:
    follower.unpause("tracked")
    run = follower.succeed(follower.trigger("tracked"))

    assert follower.api.xcom(run, "explore") == 42.0
    (tracked,) = runs(follower, "tracked")
    assert tracked.info.status == "FINISHED"
    assert tracked.data.metrics["tries"] == 2
    assert tracked.data.tags["airflow.dag_id"] == "tracked"
    assert tracked.data.tags["airflow.run_id"] == run.run_id
    assert tracked.data.tags["airflow.try_number"] == "2"
