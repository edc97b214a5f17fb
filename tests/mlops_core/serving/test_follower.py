"""Following the ledger: what is served when it, MLflow or a model fails."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from mlops_core.errors import LedgerUnavailableError, RegistryUnavailableError, UntrustedModelError
from mlops_core.registry.records import Deployment
from mlops_core.serving.follower import Follower
from mlops_core.serving.metrics import ServerMetrics
from mlops_core.serving.prediction import ServedModel
from mlops_core.serving.protocol import ModelStatus, VersionIdentity


class World:
    """Everything outside a follower, for a test to break: the ledger, the loading, and time."""

    def __init__(self, serve: Callable[[Deployment], ServedModel], metrics: ServerMetrics) -> None:
        self.deployments: list[Deployment] = []
        self.ledger_error: Exception | None = None
        self.load_errors: dict[int, Exception] = {}
        self.loads: list[int] = []
        self.swaps = 0
        self.swapped = threading.Event()
        self.looks = 0
        self.now_s = 1000.0
        self.metrics = metrics
        self._serve = serve
        self.follower = Follower(
            deployments=self._read,
            load=self._load,
            metrics=metrics,
            on_swap=self._note_swap,
            clock=lambda: self.now_s,
        )

    @property
    def served_version(self) -> int | None:
        served = self.follower.serving("flights")
        return None if served is None else served.version.version

    @property
    def status(self) -> ModelStatus:
        (status,) = self.follower.report().models
        return status

    def sample(self, name: str, **labels: str) -> float | None:
        pairs = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
        wanted = f"{name}{{{pairs}}} " if pairs else f"{name} "
        lines = self.metrics.page().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(wanted)), None)

    def _read(self) -> tuple[Deployment, ...]:
        self.looks += 1
        if self.ledger_error is not None:
            raise self.ledger_error
        return tuple(self.deployments)

    def _load(self, deployment: Deployment) -> ServedModel:
        self.loads.append(deployment.version.version)
        if error := self.load_errors.get(deployment.version.version):
            raise error
        return self._serve(deployment)

    def _note_swap(self) -> None:
        self.swaps += 1
        self.swapped.set()


@pytest.fixture
def world(serve: Callable[[Deployment], ServedModel], metrics: ServerMetrics) -> World:
    world = World(serve, metrics)
    metrics.watch(staleness_s=world.follower.staleness_s, in_flight=lambda: 0)
    return world


def test_a_server_is_not_ready_before_it_has_read_the_ledger(world: World) -> None:
    assert not world.follower.report().ready


def test_a_server_with_nothing_to_serve_is_ready(world: World) -> None:
    world.follower.follow_once()

    assert world.follower.report().ready
    assert world.follower.report().models == ()


def test_what_is_deployed_is_served(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]

    world.follower.follow_once()

    assert world.served_version == 1
    assert world.follower.report().ready
    assert world.sample("mlops_model_loaded_info", model="flights", version="1", digest=f"{1:064x}") == 1


def test_a_version_is_loaded_once(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]

    world.follower.follow_once()
    world.follower.follow_once()
    world.deployments = [deployment_of(1, revision=2)]
    world.follower.follow_once()

    assert world.loads == [1]
    assert world.status.revision == 2


def test_a_later_deployment_replaces_what_is_served(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.follower.follow_once()

    world.deployments = [deployment_of(2)]
    world.follower.follow_once()

    assert world.served_version == 2
    assert world.sample("mlops_model_loaded_info", model="flights", version="1", digest=f"{1:064x}") is None
    assert world.sample("mlops_model_loaded_info", model="flights", version="2", digest=f"{2:064x}") == 1
    assert world.swaps == 2


@pytest.mark.parametrize("remaining", [(), ("fares",)])
def test_a_ledger_that_lost_a_deployment_is_not_followed(
    world: World, deployment_of: Any, remaining: tuple[str, ...]
) -> None:
    world.deployments = [deployment_of(1), deployment_of(1, model="fares")]
    world.follower.follow_once()

    world.deployments = [deployment_of(2, model=model) for model in remaining]
    world.follower.follow_once()

    report = world.follower.report()
    assert [served.version.version for served in world.follower.served()] == [1, 1]
    assert report.ready
    assert report.ledger_problem is not None
    assert "no longer holds" in report.ledger_problem


def test_without_its_ledger_the_server_serves_on_and_says_how_stale_it_is(
    world: World, deployment_of: Any
) -> None:
    world.deployments = [deployment_of(1)]
    world.follower.follow_once()

    world.ledger_error = LedgerUnavailableError("the ledger does not answer")
    world.now_s += 90
    world.follower.follow_once()

    report = world.follower.report()
    assert world.served_version == 1
    assert report.ready
    assert report.ledger_staleness_s == 90
    assert report.ledger_problem == "LedgerUnavailableError: the ledger does not answer"
    assert world.sample("mlops_ledger_staleness_seconds") == 90


def test_when_the_ledger_is_back_it_is_followed_again(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.ledger_error = LedgerUnavailableError("away")
    world.follower.follow_once()
    assert not world.follower.report().ready

    world.ledger_error = None
    world.follower.follow_once()

    assert world.served_version == 1
    assert world.follower.report().ledger_problem is None


def test_a_tampered_version_never_replaces_a_good_one(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.follower.follow_once()

    world.load_errors[2] = UntrustedModelError("model.skops differs from its digest")
    world.deployments = [deployment_of(2)]
    world.follower.follow_once()

    assert world.served_version == 1
    assert world.follower.report().ready
    assert world.status == ModelStatus(
        model="flights",
        wanted=VersionIdentity(version=2, digest=f"{2:064x}"),
        revision=2,
        serving=VersionIdentity(version=1, digest=f"{1:064x}"),
        problem="UntrustedModelError: model.skops differs from its digest",
        problem_is_final=True,
    )
    assert world.sample("mlops_deployment_broken", model="flights") == 1
    assert world.sample("mlops_model_load_failures_total", model="flights", reason="UntrustedModelError") == 1


def test_a_first_version_that_is_tampered_with_makes_the_server_unready(
    world: World, deployment_of: Any
) -> None:
    world.deployments = [deployment_of(1)]
    world.load_errors[1] = UntrustedModelError("tampered")

    world.follower.follow_once()

    assert not world.follower.report().ready
    assert world.follower.is_deployed("flights")


def test_a_refused_version_is_not_downloaded_at_every_look(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.load_errors[1] = UntrustedModelError("tampered")

    for _ in range(10):
        world.follower.follow_once()
        world.now_s += 0.5

    assert world.loads == [1]


def test_a_refused_version_whose_files_are_restored_is_served_in_the_end(
    world: World, deployment_of: Any
) -> None:
    world.deployments = [deployment_of(1)]
    world.load_errors[1] = UntrustedModelError("tampered")
    world.follower.follow_once()

    world.load_errors.clear()
    world.now_s += 31
    world.follower.follow_once()

    assert world.served_version == 1
    assert world.sample("mlops_deployment_broken", model="flights") == 0


def test_deploying_a_refused_version_again_tries_it_at_once(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.load_errors[1] = UntrustedModelError("tampered")
    world.follower.follow_once()

    world.load_errors.clear()
    world.deployments = [deployment_of(1, revision=2)]
    world.follower.follow_once()

    assert world.served_version == 1


def test_going_back_to_the_served_version_ends_the_problem(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.follower.follow_once()
    world.load_errors[2] = UntrustedModelError("tampered")
    world.deployments = [deployment_of(2)]
    world.follower.follow_once()

    world.deployments = [deployment_of(1, revision=3)]
    world.follower.follow_once()

    assert world.status.problem is None
    assert world.loads == [1, 2]
    assert world.sample("mlops_deployment_broken", model="flights") == 0


def test_an_absent_mlflow_is_tried_again_within_seconds(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.load_errors[1] = RegistryUnavailableError("MLflow does not answer")
    world.follower.follow_once()
    assert not world.status.problem_is_final

    world.load_errors.clear()
    world.now_s += 1.5
    world.follower.follow_once()

    assert world.served_version == 1


def test_one_models_failure_does_not_keep_another_from_being_served(world: World, deployment_of: Any) -> None:
    world.load_errors[7] = RuntimeError("a bug in a model")
    world.deployments = [deployment_of(7, model="fares"), deployment_of(1)]

    world.follower.follow_once()

    assert world.served_version == 1
    assert not world.follower.report().ready


def test_the_thread_follows_until_it_is_stopped(world: World, deployment_of: Any) -> None:
    world.deployments = [deployment_of(1)]
    world.follower.start()
    assert world.swapped.wait(30)

    world.follower.stop()
    looks = world.looks
    world.follower.stop()

    assert world.served_version == 1
    assert world.looks == looks
