"""What is trained next, and whether it may be."""

from pathlib import Path
from typing import Any

import pytest

import tuning_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, RetrainingRefusedError
from mlops_core.planning import TrainingRequest, plan_training
from mlops_core.registry.ledger import Ledger
from mlops_core.training.job import TrainingPlan
from toy_models import BINARY, PARTITIONS, load


class Desk:
    """A snapshot store and a ledger at which trainings are planned."""

    def __init__(self, folder: Path) -> None:
        self.store = SnapshotStore(str(folder / "data"))
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")

    def publish(self, partition: str) -> None:
        self.store.write_partition(BINARY.name, partition, load(partition))

    def plan(self, key: str, **request: Any) -> TrainingPlan:
        return plan_training(
            BINARY,
            request=TrainingRequest(**{"requested_by": "person", "actor": "ada", **request}),
            reference="toy_models:BINARY",
            store=self.store,
            ledger=self.ledger,
            tracking_uri="http://127.0.0.1:1",
            operation_key=key,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    for partition in PARTITIONS:
        desk.publish(partition)
    return desk


def test_a_plan_names_the_snapshot_the_split_and_a_job_a_candidate(desk: Desk) -> None:
    plan = desk.plan("one")
    assert plan.snapshot == desk.store.current(BINARY.name)
    assert plan.split.training_partitions == ("2013-01", "2013-02")
    assert plan.split.holdout_partitions == ("2013-03",)
    assert [job.candidate for job in plan.jobs] == ["trees", "line"]
    assert len({job.operation_key for job in plan.jobs}) == 2
    assert plan.champion is None
    assert plan.generation == 0


def test_a_plan_says_who_asked_and_why(desk: Desk) -> None:
    assert desk.plan("one", reason="complaints").reason.startswith(
        "ada asked for it (complaints); 3 partitions"
    )


def test_candidates_and_seed_can_be_chosen(desk: Desk) -> None:
    (job,) = desk.plan("one", candidates=("line",), seed=7).jobs
    assert (job.candidate, job.seed) == ("line", 7)


def test_an_unknown_candidate_is_refused_with_the_known_ones(desk: Desk) -> None:
    with pytest.raises(DeclarationError, match=r"no candidate 'forest'.*trees, line"):
        desk.plan("one", candidates=("forest",))


def test_no_candidate_at_all_is_refused(desk: Desk) -> None:
    with pytest.raises(DeclarationError, match="name at least one"):
        desk.plan("one", candidates=())


def test_the_policy_may_not_train_twice_on_the_same_data(desk: Desk) -> None:
    desk.plan("one", requested_by="policy")
    with pytest.raises(RetrainingRefusedError, match="already"):
        desk.plan("two", requested_by="policy")


def test_a_retry_of_the_policys_own_request_plans_the_same(desk: Desk) -> None:
    assert desk.plan("one", requested_by="policy") == desk.plan("one", requested_by="policy")


def test_new_data_let_the_policy_train_again(desk: Desk) -> None:
    desk.plan("one", requested_by="policy")
    desk.publish("2013-04")
    assert desk.plan("two", requested_by="policy").split.holdout_partitions == ("2013-04",)


def test_a_person_may_train_again_on_the_same_data(desk: Desk) -> None:
    desk.plan("one", requested_by="policy")
    assert desk.plan("two").snapshot == desk.store.current(BINARY.name)


def test_a_training_leaves_its_record_in_the_ledger(desk: Desk) -> None:
    plan = desk.plan("one")
    last = desk.ledger.last_training(BINARY.name)
    assert last is not None
    assert (last.snapshot_digest, last.operation_key, last.requested_by) == (
        plan.snapshot.digest,
        "one",
        "ada",
    )


def test_a_job_has_its_candidates_search_with_the_metric_that_ranks_and_its_folds(desk: Desk) -> None:
    desk.store.write_partition("constant", "2013-01", tuning_models.load("2013-01"))
    desk.store.write_partition("constant", "2013-02", tuning_models.load("2013-02"))

    plan = plan_training(
        tuning_models.PIPELINE,
        request=TrainingRequest(requested_by="person", actor="ada", candidates=("nested", "plain")),
        reference="tuning_models:PIPELINE",
        store=desk.store,
        ledger=desk.ledger,
        tracking_uri="http://127.0.0.1:1",
        operation_key="one",
    )

    nested, plain = plan.jobs
    assert nested.search == tuning_models.SEARCH.model_copy(update={"metric": "mae"})
    assert plain.search is None
    assert (nested.cross_validation, plain.cross_validation) == (3, 3)
