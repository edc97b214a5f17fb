"""A model whose versions a person must approve: from the question to the history that tells it all."""

import json
from typing import Any

import pytest
from mlflow import MlflowClient

from embedded_platform import OwnPlatform
from following import Follower
from mlops_core.cli.airflow_api import DagRun

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

MODEL = "guarded"


class Approver:
    """Trains the model and answers what it asks, through Airflow's API."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.ledger = follower.ledger

    def train(self, **conf: Any) -> DagRun:
        """Start a training and wait until it asks."""
        run = self.follower.trigger(f"{MODEL}__train", conf=conf)
        self.follower.wait_for_question(run, "approve")
        return run

    def answer(self, run: DagRun, option: str, *, reason: str, evidence: str | None = None) -> None:
        digest = evidence or self.follower.api.xcom(run, "evaluate")["digest"]
        fields = {"reason": reason, "evidence": digest}
        self.follower.api.answer(run, "approve", option=option, fields=fields)

    def champion(self) -> int | None:
        champion = self.ledger.state(MODEL).champion
        return None if champion is None else champion.version


@pytest.fixture(scope="module")
def approver(toy_platform: OwnPlatform) -> Any:
    """The model with three partitions and nothing in production."""
    with toy_platform.api() as api:
        follower = Follower(toy_platform, api)
        follower.unpause(f"{MODEL}__ingest", f"{MODEL}__train")
        follower.unpause("mlops__reconcile", "mlops__reproduce", "mlops__retire", "mlops__adopt")
        partitions = ("2013-01", "2013-02", "2013-03")
        for run in [follower.trigger(f"{MODEL}__ingest", partition_key=key) for key in partitions]:
            follower.succeed(run)
        yield Approver(follower)


def test_nothing_is_promoted_before_a_person_says_yes_and_their_name_is_kept(approver: Approver) -> None:
    run = approver.train(candidates=["line"])

    (waiting,) = approver.ledger.approval_requests(MODEL)
    assert (waiting.version, waiting.run_id, waiting.risk) == (1, run.run_id, "medium")
    assert approver.champion() is None

    approver.answer(run, "Approve", reason="the first one")
    approver.follower.succeed(run)

    assert approver.champion() == 1
    (promoted,) = approver.ledger.history(MODEL)
    assert "approved by admin: the first one" in promoted.reason
    assert approver.ledger.approval_requests(MODEL) == ()


def test_of_two_that_wait_the_second_approval_is_void_once_the_first_is_promoted(
    approver: Approver,
) -> None:
    first, second = approver.train(candidates=["trees"]), approver.train(candidates=["trees"], seed=7)

    approver.answer(first, "Approve", reason="better")
    approver.follower.succeed(first)
    champion = approver.champion()
    approver.answer(second, "Approve", reason="better as well")
    approver.follower.fail(second)

    assert "but the ledger is at generation 2" in approver.follower.log(second, "approve")
    assert approver.champion() == champion == 2


def test_a_no_is_kept_with_its_reason_and_promotes_nothing(approver: Approver) -> None:
    run = approver.train(candidates=["trees"], seed=8)

    approver.answer(run, "Reject", reason="the data were odd that month")
    approver.follower.fail(run)

    assert "rejected by admin: the data were odd that month" in approver.follower.log(run, "approve")
    assert approver.ledger.approvals(MODEL)[-1].verdict == "reject"
    assert approver.champion() == 2


def test_an_answer_about_other_evidence_is_void(approver: Approver) -> None:
    run = approver.train(candidates=["trees"], seed=9)

    approver.answer(run, "Approve", reason="fine", evidence="0" * 64)
    approver.follower.fail(run)

    assert "is void: it names the evidence" in approver.follower.log(run, "approve")
    assert approver.champion() == 2


def test_an_alias_moved_by_hand_is_healed_because_it_was_seen(approver: Approver) -> None:
    client = MlflowClient(approver.follower.platform.record.ports.mlflow_url)

    healed = move_by_hand(approver.follower, client)
    if healed.run_type == "scheduled":
        # The hourly run came first; it does not come twice.
        healed = move_by_hand(approver.follower, client)

    assert healed.run_type == "asset_triggered"
    assert client.get_model_version_by_alias(MODEL, "champion").version == "2"


def move_by_hand(follower: Follower, client: MlflowClient) -> DagRun:
    """Give the alias to another version, and return the run that took it back."""
    change = {"model": MODEL, "alias": "champion", "found": 1, "expected": 2, "by_hand": True}

    def took_it_back(run: DagRun) -> bool:
        report = follower.api.xcom(run, "reconcile")
        return report is not None and change in report["changes"]

    before = {run.run_id for run in follower.api.runs("mlops__reconcile") if took_it_back(run)}
    client.set_registered_model_alias(MODEL, "champion", "1")
    return follower.first(
        "mlops__reconcile",
        lambda run: run.run_id not in before and took_it_back(run),
        what=f"the alias of {MODEL} is healed",
    )


def test_a_version_is_built_again_and_is_identical(approver: Approver) -> None:
    run = approver.follower.trigger("mlops__reproduce", conf={"model": MODEL, "version": 2})

    approver.follower.succeed(run)

    report = approver.follower.api.xcom(run, "reproduce")
    assert report["verdict"] == "identical", report["differences"]


def test_a_version_that_something_depends_on_is_not_retired_and_another_is(approver: Approver) -> None:
    needed = approver.follower.trigger(
        "mlops__retire", conf={"model": MODEL, "version": 1, "reason": "it is old"}
    )
    approver.follower.fail(needed)
    assert "roll" in approver.follower.log(needed, "retire")

    spare = approver.follower.trigger(
        "mlops__retire", conf={"model": MODEL, "version": 3, "reason": "never promoted"}
    )
    approver.follower.succeed(spare)

    (retired,) = approver.ledger.retirements(MODEL)
    assert (retired.version, retired.reason) == (3, "never promoted")


def test_the_history_tells_it_all_and_verifies(approver: Approver) -> None:
    follower = approver.follower
    places = {
        "MLOPS_LEDGER_URL": follower.ledger_url,
        "MLOPS_TRUSTED_KEYS": str(follower.platform.home.trusted_keys),
    }
    told = follower.platform.command("history", MODEL, "--all", "--json", **places)
    audited = follower.platform.command("audit", "verify", **places)

    kinds = [event["kind"] for event in json.loads(told.stdout)]
    assert kinds[:4] == ["register", "approve", "promote", "deploy"]
    assert {"reject", "retire"} <= set(kinds)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "signed by the key" in audited.stdout, "reconcile has noted the heads"
