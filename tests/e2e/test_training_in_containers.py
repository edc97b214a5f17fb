"""A candidate that is declared to be fitted in a container, under the real scheduler."""

from typing import Any

import pytest
from mlflow import MlflowClient

from digits.columns import PARTITIONS
from embedded_platform import OwnPlatform
from following import Follower
from mlops_core.containers.address import EngineAddress, connect
from mlops_core.containers.engine import ContainerEngine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture
def follower(toy_platform: OwnPlatform) -> Any:
    with toy_platform.api() as api:
        yield Follower(toy_platform, api)


def test_a_network_that_was_fitted_in_a_container_is_promoted_and_leaves_no_container(
    follower: Follower, docker_engine: str, python_image: str
) -> None:
    follower.unpause("digits__ingest", "digits__train")
    for run in [follower.trigger("digits__ingest", partition_key=key) for key in PARTITIONS[:6]]:
        follower.succeed(run)

    run = follower.succeed(
        follower.trigger("digits__train", conf={"candidates": ["convolutional_network"], "reason": "first"})
    )

    log = follower.log(run, "train")
    assert f"created (image {python_image})" in log
    assert "epoch 1" in log
    (champion,) = follower.ledger.history("digits")
    client = MlflowClient(follower.platform.record.ports.mlflow_url)
    version = client.get_model_version("digits", str(champion.version))
    assert client.get_run(version.run_id).data.metrics["system/cpu_seconds"] > 0
    with ContainerEngine(connect(EngineAddress(url=docker_engine))) as engine:
        assert [found for found in engine.managed() if found.labels.get("mlops.dag_id") == run.dag_id] == []
