"""A Docker engine for the tests that start containers, and images that need no registry.

An image that neither the engine nor a registry has is made on this machine by a script of ``stand_ins/``,
under the public image's own name: Dockerfiles and docker-compose.yaml are the same with both.
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from mlops_core.cli.stack.images import STACK_IMAGE, TRAIN_IMAGE, build_images

PROJECT = Path(__file__).resolve().parents[1]
_STAND_INS = Path(__file__).parent / "stand_ins"
_PYTHON = "python:3.11-slim"
_SERVERS = ("postgres:17-bookworm", "redis:7-bookworm")
_OWN_PYTHON = "mlops-test-python:3.11"


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """URL of a Docker engine that answers."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        with closing(docker.APIClient(base_url=url, timeout=60)) as client:
            client.ping()
    except (DockerException, RequestException) as error:
        pytest.fail(
            f"no Docker engine answers at {url} ({error}); start one, or let .ci/run do it: "
            "`source .ci/engine; engine_up` as root on Debian"
        )
    return url


@pytest.fixture(scope="session")
def python_image(docker_engine: str) -> str:
    """Name of an image with this machine's own Python, sh and sleep."""
    return provide_python_image(docker_engine)


@pytest.fixture(scope="session")
def train_image(docker_engine: str) -> str:
    """Name of the training image, made of the code as it is now."""
    with closing(docker.APIClient(base_url=docker_engine)) as client:
        _provide_python(client)
    build_images(PROJECT, TRAIN_IMAGE)
    return TRAIN_IMAGE


@pytest.fixture(scope="session")
def stack_images(docker_engine: str, train_image: str) -> tuple[str, ...]:
    """Names of all images of docker-compose.yaml, ours made of the code as it is now."""
    with closing(docker.APIClient(base_url=docker_engine)) as client:
        if not all(_is_there(client, image) or _is_pulled(client, image) for image in _SERVERS):
            _run_stand_in("servers_image.sh", _SERVERS)
    build_images(PROJECT, STACK_IMAGE)
    return (train_image, STACK_IMAGE, *_SERVERS)


def provide_python_image(engine: str) -> str:
    """Return the name of an image with this machine's own Python, made if the engine has none.

    It is never pulled: the environment of the tests, mounted into it, needs the very same interpreter.
    """
    with closing(docker.APIClient(base_url=engine)) as client:
        if not _is_there(client, _OWN_PYTHON):
            _run_stand_in("python_image.sh", (_OWN_PYTHON,))
    return _OWN_PYTHON


def _provide_python(client: docker.APIClient) -> None:
    if not _is_there(client, _PYTHON) and not _is_pulled(client, _PYTHON):
        _run_stand_in("python_image.sh", (_PYTHON,))


def _is_there(client: docker.APIClient, image: str) -> bool:
    try:
        client.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def _is_pulled(client: docker.APIClient, image: str) -> bool:
    try:
        client.pull(*image.split(":"))
    except APIError:
        return False
    return _is_there(client, image)


def _run_stand_in(script: str, arguments: Sequence[str]) -> None:
    made = subprocess.run(
        ["bash", str(_STAND_INS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
