"""The stack in containers comes up from nothing, takes a model into production, and leaves nothing behind."""

import stat
from collections.abc import Iterator

import httpx
import pytest

from following import ANSWER_WITHIN_S, RunFollower
from mlops_core.cli.stack.images import TRAIN_IMAGE
from own_stack import OwnStack, docker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

HISTORY = ("2013-01", "2013-02", "2013-03")
SOCKET = "/var/run/docker.sock"


@pytest.fixture(scope="module")
def stack(stack_images: tuple[str, ...]) -> Iterator[OwnStack]:
    """The whole stack, healthy."""
    assert stack_images
    own = OwnStack.make("mlops-e2e")
    own.command("down", "--wipe")
    try:
        started = own.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield own
    finally:
        own.command("down", "--wipe")


def test_every_service_is_healthy_and_its_secrets_are_private(stack: OwnStack) -> None:
    told = stack.command("status")
    assert told.returncode == 0, told.stdout
    assert len(stack.containers()) == 11
    path = stack.files.variables_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    refused = {"username": "admin", "password": "admin"}
    url = f"{stack.files.ports().airflow_url}/auth/token"
    assert httpx.post(url, json=refused, timeout=ANSWER_WITHIN_S).status_code == 401


def test_no_command_line_shows_a_secret_and_redis_asks_for_its_password(stack: OwnStack) -> None:
    variables = stack.files.variables()
    secrets = [value for name, value in variables.items() if name.endswith(("_PASSWORD", "_KEY", "_SECRET"))]
    assert len(secrets) == 10
    containers = stack.containers()
    running = {service: one["Id"] for service, one in containers.items() if one["State"]["Running"]}
    lines = {service: docker("top", container, "-eo", "pid,args") for service, container in running.items()}
    assert "redis-server" in lines["redis"]
    assert [service for service, shown in lines.items() if any(secret in shown for secret in secrets)] == []

    without = docker("exec", "--env", "REDISCLI_AUTH=", running["redis"], "redis-cli", "ping")
    assert "NOAUTH" in without


def test_containers_have_no_rights_that_they_do_not_need(stack: OwnStack) -> None:
    containers = stack.containers()
    for service, container in containers.items():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert container["Config"]["User"].split(":")[0] not in {"", "0", "root"}, service
    published = [
        binding["HostIp"]
        for container in containers.values()
        for bindings in (container["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    ]
    assert published == ["127.0.0.1"] * 3
    holders = {
        service
        for service, container in containers.items()
        if any(mount["Destination"] == SOCKET for mount in container["Mounts"])
    }
    assert holders == {"training-worker"}


def test_the_training_network_leads_to_mlflow_alone(stack: OwnStack) -> None:
    network = f"{stack.files.name}-training"
    attached = {
        service
        for service, container in stack.containers().items()
        if network in container["NetworkSettings"]["Networks"]
    }
    assert attached == {"mlflow"}
    backend = f"{stack.files.name}-backend"
    others = [
        (container["NetworkSettings"]["Networks"][backend]["IPAddress"], port)
        for service, container in stack.containers().items()
        for name, port in (("postgres", 5432), ("redis", 6379), ("api-server", 8080))
        if service == name
    ]
    assert len(others) == 3
    probe = (
        "import socket, urllib.request as web\n"
        "print(web.urlopen('http://mlflow:5000/health', timeout=30).status)\n"
        f"for address in {others}:\n"
        "    try: socket.create_connection(address, timeout=5)\n"
        "    except OSError: print('no way')\n"
    )
    said = docker("run", "--rm", "--network", network, TRAIN_IMAGE, "python", "-c", probe)
    assert said.splitlines() == ["200", "no way", "no way", "no way"]


def test_a_model_is_ingested_trained_and_promoted_by_the_workers(stack: OwnStack) -> None:
    with stack.api() as api:
        follower = RunFollower(api, url=stack.files.ports().airflow_url, password=stack.password)
        follower.unpause("flight_delay__ingest", "flight_delay__train")
        for run in [follower.trigger("flight_delay__ingest", partition_key=month) for month in HISTORY]:
            follower.succeed(run)
        conf = {"reason": "the first", "candidates": ["gradient_boosting", "entity_embeddings"]}
        run = follower.trigger("flight_delay__train", conf=conf)
        follower.wait_for_question(run, "approve")
        follower.approve(run, reason="the first on this stack")
        trained = follower.succeed(run)

        verified = api.xcom(trained, "verify")
        url = f"{stack.files.ports().model_server_url}/models"
        served = httpx.get(url, timeout=ANSWER_WITHIN_S).json()
        assert [(model["model"], model["version"], model["digest"]) for model in served] == [
            ("flight_delay", 1, verified["digest"])
        ]
        workers = {
            container["Config"]["Hostname"]
            for service, container in stack.containers().items()
            if service in {"worker", "training-worker"}
        }
        tasks = follower.get(
            f"/api/v2/dags/flight_delay__train/dagRuns/{trained.run_id}/taskInstances"
        ).json()
        assert {task["hostname"] for task in tasks["task_instances"] if task["hostname"]} <= workers
        assert "champion of flight_delay" in follower.log(trained, "promote")

        training_worker = stack.containers()["training-worker"]["Config"]["Hostname"]
        fits = [task for task in tasks["task_instances"] if task["task_id"] == "train"]
        assert [task["hostname"] for task in fits] == [training_worker] * 2
        assert f"created (image {TRAIN_IMAGE})" in follower.log(trained, "train")
        label = f"label=mlops.stack={stack.files.name}"
        assert docker("ps", "--all", "--quiet", "--filter", label) == ""
        assert docker("volume", "ls", "--quiet", "--filter", label) == ""


def test_down_leaves_nothing_not_even_what_tasks_started(stack: OwnStack) -> None:
    name = f"{stack.files.name}-left-by-a-task"
    labels = ("--label", "mlops.managed=true", "--label", f"mlops.name={name}")
    docker("volume", "create", *labels, f"{name}-files")
    docker("network", "create", *labels, name)
    volume = ("--volume", f"{name}-files:/mlops")
    network = ("--network", f"{stack.files.name}-training")
    docker("run", "--detach", "--name", name, *labels, *volume, *network, "redis:7-bookworm", "sleep", "600")

    ended = stack.command("down", "--wipe")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert stack.left() == []
    assert not stack.files.variables_file.exists()
    assert stack.command("status").returncode == 3
    assert stack.command("down", "--wipe").returncode == 0
