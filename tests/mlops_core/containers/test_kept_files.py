"""Files of containers that were kept: the next try goes on with them, a new beginning leaves them alone."""

import json
from collections.abc import Callable
from typing import Any

import docker
import pytest

from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.follow import Ended
from mlops_core.containers.labels import ManagedContainer
from mlops_core.containers.specification import ContainerJob, volume_name
from mlops_core.containers.volumes import choose_volume

MakeJob = Callable[..., ContainerJob]
RunJob = Callable[[ContainerJob], Ended]

# Tells what it finds, and leaves a file more.
COUNT = (
    "import json, os, pathlib; folder = pathlib.Path('/mlops/work/checkpoints'); "
    "found = len(list(folder.iterdir())); (folder / str(found)).touch(); "
    "json.dump(found, open('/mlops/work/r.json', 'w'))"
)


@pytest.fixture
def found(engine: ContainerEngine, make_job: MakeJob, run_job: RunJob) -> Callable[[], Any]:
    """Run the same job once more; return how many checkpoints it has found."""
    job = make_job(COUNT, result="r.json")

    def run() -> Any:
        assert run_job(job).is_success
        return json.loads(engine.result(job) or b"null")

    run.job = job  # type: ignore[attr-defined]
    return run


def volumes(client: docker.APIClient, job: ContainerJob) -> set[str]:
    listed = client.volumes(filters={"label": [f"mlops.name={job.name}"]})["Volumes"] or []
    return {volume["Name"] for volume in listed}


def kept(engine: ContainerEngine, job: ContainerJob) -> list[ManagedContainer]:
    return [one for one in engine.managed() if one.job_name == job.name and one.is_kept]


@pytest.mark.integration
def test_a_new_beginning_does_not_touch_what_was_kept(
    engine: ContainerEngine, client: docker.APIClient, found: Any
) -> None:
    job = found.job
    for generation in (1, 2):
        assert found() == 0
        engine.keep(job, suffix=f"try{generation}")
        engine.remove(job, files=True)

    own = {volume_name(job.node_names[0], number) for number in (1, 2)}
    assert {one.volumes for one in kept(engine, job)} == {frozenset({name}) for name in own}
    assert volumes(client, job) == own


@pytest.mark.integration
def test_the_try_after_a_kept_one_goes_on_with_its_files(engine: ContainerEngine, found: Any) -> None:
    for before in (0, 1):
        assert found() == before
        engine.keep(found.job, suffix=f"try{before}")
        engine.remove(found.job, files=False)

    engine.remove(found.job, files=True)
    assert found() == 0
    # A retry of the new beginning.
    engine.remove(found.job, files=False)
    assert found() == 1


@pytest.mark.integration
def test_what_was_kept_is_removed_by_hand_and_swept_then(
    engine: ContainerEngine, client: docker.APIClient, found: Any
) -> None:
    found()
    engine.keep(found.job, suffix="try1")
    engine.remove(found.job, files=True)
    engine.sweep(lambda one: one.job_name != found.job.name)
    (stays,) = kept(engine, found.job)

    client.remove_container(stays.id)
    engine.sweep(lambda one: one.job_name != found.job.name)

    assert volumes(client, found.job) == set()


@pytest.mark.parametrize(
    ("existing", "given_up", "chosen"),
    [
        ([], [], "n-files"),
        (["n-files"], [], "n-files"),
        (["n-files"], ["n-files"], "n-files-2"),
        # Its files are on hold for a retry.
        (["n-files", "n-files-2"], ["n-files"], "n-files-2"),
        (["n-files-9", "n-files-10"], ["n-files-10"], "n-files-11"),
        # Whoever kept it has removed the container since: its files are those of before the new beginning.
        (["n-files", "n-files-2"], [], "n-files-2"),
        # Others', or nobody's.
        (["n-files-x", "m-files-7"], [], "n-files"),
    ],
)
def test_the_last_volume_is_taken_unless_it_was_given_up(
    existing: list[str], given_up: list[str], chosen: str
) -> None:
    assert choose_volume("n", existing=existing, given_up=given_up) == chosen
