"""Starting, reading, putting aside and removing jobs on a real engine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import takewhile
from threading import Barrier

import docker
import pytest

from mlops_core.containers import starting
from mlops_core.containers.create import creation_body
from mlops_core.containers.engine import ContainerEngine, EngineAddress, Started, connect
from mlops_core.containers.follow import Ended
from mlops_core.containers.labels import ManagedContainer
from mlops_core.containers.specification import ContainerJob, Gpus
from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    DockerUnavailableError,
    GpuMissingError,
    ImageMissingError,
)

pytestmark = pytest.mark.integration

MakeJob = Callable[..., ContainerJob]
RunJob = Callable[[ContainerJob], Ended]

SLEEP = "import time; time.sleep(300)"
COPY = "open('/mlops/work/result.json', 'w').write(open('/mlops/work/job.json').read().upper())"


def of(engine: ContainerEngine, job: ContainerJob) -> list[ManagedContainer]:
    return [container for container in engine.managed() if container.job_name == job.name]


def test_result_comes_back_by_file(engine: ContainerEngine, make_job: MakeJob, run_job: RunJob) -> None:
    job = make_job(COPY, inputs={"job.json": '{"a": "ä"}'}, result="result.json")

    assert run_job(job).is_success

    assert engine.result(job) == '{"A": "Ä"}'.encode()


def test_job_without_a_result_file_has_none(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    job = make_job("pass", result="result.json")
    run_job(job)

    assert engine.result(job) is None


def test_result_of_an_earlier_container_is_not_taken_for_this_ones(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    failed = make_job(COPY + "; raise SystemExit(1)", inputs={"job.json": "{}"}, result="result.json")
    run_job(failed)
    assert engine.result(failed) == b"{}"

    silent = make_job("pass", key=failed.key, inputs={"job.json": "{}"}, result="result.json")
    run_job(silent)

    assert engine.result(silent) is None


def test_result_that_is_a_link_is_not_followed(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    job = make_job("import os; os.symlink('/etc/passwd', '/mlops/work/result.json')", result="result.json")
    run_job(job)

    assert engine.result(job) is None


def test_result_that_is_too_large_is_refused(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    job = make_job("open('/mlops/work/r', 'wb').truncate(17 * 1024 * 1024)", result="r")
    run_job(job)

    with pytest.raises(ContainerFailedError, match="result file r is larger than 16 MB"):
        engine.result(job)


def test_running_container_is_adopted(engine: ContainerEngine, make_job: MakeJob) -> None:
    job = make_job(SLEEP)
    first = engine.start(job)

    second = engine.start(job)

    assert (first.how, second) == ("created", Started(ids=first.ids, how="adopted"))


def test_container_that_succeeded_is_not_run_again(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    job = make_job("open('/mlops/work/r', 'a').write('x')", result="r")
    run_job(job)

    again = engine.start(job)

    assert again.how == "finished"
    assert engine.result(job) == b"x"


@pytest.mark.parametrize("ending", ["failed", "other digest"])
def test_container_that_is_no_use_is_replaced(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob, ending: str
) -> None:
    first = make_job("raise SystemExit(3)" if ending == "failed" else SLEEP)
    old = engine.start(first)
    if ending == "failed":
        run_job(first)
    job = first if ending == "failed" else make_job(SLEEP + "  # changed", key=first.key)

    new = engine.start(job)

    assert new.how == "created"
    assert [container.id for container in of(engine, job)] == list(new.ids)
    assert new.ids != old.ids


def leave_created(client: docker.APIClient, job: ContainerJob) -> str:
    """Do what a process does that is killed between create and start."""
    client.create_volume(job.volume_names[0], labels={"mlops.managed": "true", "mlops.name": job.name})
    body = creation_body(job, node=0, engine_cpus=1.0)
    return str(client.create_container_from_config(body, job.node_names[0])["Id"])


def test_container_that_was_never_started_is_completed(
    engine: ContainerEngine,
    client: docker.APIClient,
    make_job: MakeJob,
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "CREATION_SECONDS", 0.0)
    job = make_job(COPY, inputs={"job.json": "{}"}, result="result.json")
    left = leave_created(client, job)

    assert run_job(job).is_success

    assert engine.result(job) == b"{}"
    assert left not in [container.id for container in of(engine, job)]


def test_container_that_somebody_is_making_is_waited_for(
    client: docker.APIClient, address: EngineAddress, make_job: MakeJob
) -> None:
    job = make_job(SLEEP)
    other = leave_created(client, job)

    with ContainerEngine(connect(address)) as late, ThreadPoolExecutor(1) as pool:
        started = pool.submit(late.start, job)
        client.start(other)
        assert started.result(30) == Started(ids=(other,), how="adopted")


def test_of_two_who_start_at_once_one_creates_and_the_other_adopts(
    address: EngineAddress, engine: ContainerEngine, make_job: MakeJob
) -> None:
    rounds = 20
    together = Barrier(2)

    def start(one: ContainerEngine, job: ContainerJob) -> Started:
        together.wait(60)
        return one.start(job)

    with (
        ContainerEngine(connect(address)) as one,
        ContainerEngine(connect(address)) as another,
        ThreadPoolExecutor(2) as pool,
    ):
        for _ in range(rounds):
            job = make_job(SLEEP)
            both = list(pool.map(start, (one, another), (job, job)))

            assert sorted(started.how for started in both) == ["adopted", "created"]
            assert both[0].ids == both[1].ids == tuple(container.id for container in of(engine, job))
            engine.remove(job, files=True)


def test_removal_kills_the_process_and_never_asks_it_to_end(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob
) -> None:
    job = make_job(SLEEP)
    (container,) = engine.start(job).ids

    with closing(client.events(since=1, filters={"container": container}, decode=True)) as events:
        engine.remove(job.name, files=True)
        told = list(takewhile(lambda event: event["Action"] != "destroy", events))

    # A polite stop sends 15 first.
    assert [event["Actor"]["Attributes"]["signal"] for event in told if event["Action"] == "kill"] == ["9"]
    assert [event["Actor"]["Attributes"]["exitCode"] for event in told if event["Action"] == "die"] == ["137"]
    assert of(engine, job) == []
    assert client.volumes(filters={"name": job.name})["Volumes"] in (None, [])


def test_removing_what_is_not_there_does_nothing(engine: ContainerEngine, make_job: MakeJob) -> None:
    job = make_job()

    engine.remove(job, files=True)
    engine.remove(job, files=True)

    assert of(engine, job) == []


def test_checkpoints_survive_the_container_when_files_stay(
    engine: ContainerEngine, make_job: MakeJob, run_job: RunJob
) -> None:
    writes = make_job("import os; open(os.environ['MLOPS_CHECKPOINTS'] + '/1', 'w').write('kept'); exit(1)")
    run_job(writes)
    engine.remove(writes, files=False)

    reads = make_job(
        "import os; open('/mlops/work/r', 'w').write(open(os.environ['MLOPS_CHECKPOINTS'] + '/1').read())",
        key=writes.key,
        result="r",
    )
    assert run_job(reads).is_success

    assert engine.result(reads) == b"kept"


def test_kept_container_is_stopped_and_stays_and_is_not_adopted(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    job = make_job(SLEEP)
    kept = engine.start(job)

    engine.keep(job, suffix="try1")
    engine.remove(job, files=True)
    new = engine.start(job)

    states = {container.id: (container.state, container.is_kept) for container in of(engine, job)}
    assert states == {kept.ids[0]: ("exited", True), new.ids[0]: ("running", False)}


def test_keeping_twice_under_one_suffix_keeps_both(engine: ContainerEngine, make_job: MakeJob) -> None:
    job = make_job(SLEEP)
    for _ in range(2):
        engine.start(job)
        engine.keep(job, suffix="try1")

    assert [container.is_kept for container in of(engine, job)] == [True, True]


def test_missing_image_is_named_and_nothing_is_left(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob
) -> None:
    job = make_job(spec={"image": "registry.invalid/no-such-image:1"})

    with pytest.raises(ImageMissingError, match=r"registry\.invalid/no-such-image:1"):
        engine.start(job)

    assert of(engine, job) == []
    assert client.volumes(filters={"name": job.name})["Volumes"] in (None, [])


def test_gpu_that_the_engine_does_not_have_is_missing_and_nothing_is_left(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    job = make_job(spec={"gpus": Gpus(count=1)})

    with pytest.raises(GpuMissingError, match="could not select device driver"):
        engine.start(job)

    assert of(engine, job) == []
    assert engine.start(job.without_gpus()).how == "created"


def test_command_that_is_not_in_the_image_is_a_failure_with_code_127(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    job = make_job(spec={"command": ("no-such-program",), "init": False})

    with pytest.raises(ContainerFailedError, match="no-such-program") as raised:
        engine.start(job)

    assert raised.value.exit_code == 127
    assert of(engine, job) == []


def test_bind_mount_of_a_folder_that_is_not_there_is_refused(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    job = make_job(spec={"mounts": ({"source": "/no/such/folder", "target": "/data"},)})

    with pytest.raises(ContainerError, match="/no/such/folder"):
        engine.start(job)


def test_more_processors_than_the_machine_has_are_cut_down(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    job = make_job(SLEEP, spec={"cpus": 1000.0})

    assert engine.start(job).how == "created"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_engine_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DockerUnavailableError, match=r"no-such\.sock"):
        connect(EngineAddress(url="unix:///no-such.sock"))


TALK = """
import json, os, socket, sys, time
me = socket.gethostname()
names = json.load(open('/mlops/work/names.json'))
if me == names[0]:
    server = socket.create_server(('', 5000))
    said = server.accept()[0].recv(100).decode()
    open('/mlops/work/r', 'w').write(said)
else:
    for _ in range(600):
        try:
            socket.create_connection((names[0], 5000), timeout=1).sendall(me.encode())
            break
        except OSError:
            time.sleep(0.05)
    else:
        raise SystemExit(9)
"""


def test_two_nodes_reach_each_other_by_name_and_are_removed_with_their_network(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob, run_job: RunJob
) -> None:
    import json

    plain = make_job(TALK, nodes=2, result="r")
    names = json.dumps(plain.node_names)
    job = make_job(TALK, key=plain.key, nodes=2, inputs={"names.json": names}, result="r")

    ended = run_job(job)

    assert ended.is_success, ended
    assert engine.result(job) == job.node_names[1].encode()
    network = client.networks(filters={"label": f"mlops.name={job.name}"})
    assert [(one["Name"], one["Internal"]) for one in network] == [(job.name, True)]

    engine.remove(job, files=True)

    assert of(engine, job) == []
    assert client.networks(names=[job.name]) == []
    assert client.volumes(filters={"name": job.name})["Volumes"] in (None, [])


def test_nodes_start_all_or_none(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob
) -> None:
    job = make_job(SLEEP, nodes=2, spec={"network": "no-such-network"})

    with pytest.raises(ContainerError, match="no-such-network"):
        engine.start(job)

    assert of(engine, job) == []
    assert client.networks(names=[job.name]) == []


def test_nodes_on_another_network_too_are_connected_to_both(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob
) -> None:
    job = make_job(SLEEP, nodes=2, spec={"network": "bridge"})

    started = engine.start(job)

    for container in started.ids:
        networks = client.inspect_container(container)["NetworkSettings"]["Networks"]
        assert sorted(networks) == sorted([job.name, "bridge"])


def test_nodes_of_a_gang_of_which_one_is_missing_are_all_made_anew(
    engine: ContainerEngine,
    client: docker.APIClient,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "CREATION_SECONDS", 0.0)
    job = make_job(SLEEP, nodes=2)
    first = engine.start(job)
    client.remove_container(first.ids[1], force=True)

    second = engine.start(job)

    assert second.how == "created"
    assert set(first.ids).isdisjoint(second.ids)
    assert len(of(engine, job)) == 2


def test_sweep_removes_what_nobody_waits_for_with_all_that_belongs_to_it(
    engine: ContainerEngine, make_job: MakeJob
) -> None:
    dead, alive, kept = make_job(SLEEP, nodes=2), make_job(SLEEP), make_job(SLEEP)
    for job in (dead, alive, kept):
        engine.start(job)
    engine.keep(kept, suffix="try1")
    gone = make_job(SLEEP)
    engine.start(gone)
    engine.remove(gone, files=False)

    removed = engine.sweep(lambda one: one.job_name not in {dead.name, gone.name, kept.name})

    expected = [
        *(("container", name, dead.key) for name in dead.node_names),
        ("network", dead.name, dead.key),
        *(("volume", name, dead.key) for name in dead.volume_names),
        *(("volume", name, gone.key) for name in gone.volume_names),
    ]
    assert sorted((one.kind, one.name, one.key) for one in removed) == sorted(expected)
    assert of(engine, dead) == []
    assert len(of(engine, alive)) == len(of(engine, kept)) == 1


def test_label_of_the_caller_cannot_pass_for_another_job(engine: ContainerEngine, make_job: MakeJob) -> None:
    job = make_job(SLEEP, labels={"mlops.name": "mlops-other", "mlops.dag_id": "d"})
    engine.start(job)

    [found] = of(engine, job)

    assert found.labels["mlops.dag_id"] == "d"
    assert found.labels["mlops.key"] == job.key


def test_client_of_the_airflow_hook_serves(docker_engine: str, make_job: MakeJob) -> None:
    job = make_job(SLEEP)
    plain = docker.APIClient(base_url=docker_engine, version="auto", timeout=60)
    try:
        assert ContainerEngine(plain).start(job).how == "created"
    finally:
        plain.close()
