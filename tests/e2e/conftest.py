"""One embedded platform with the DAGs of the end-to-end tests, shared by the session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import chromium
from embedded_platform import PROJECT, OwnPlatform
from training_containers import training_variables

__all__ = ["chromium", "toy_platform"]

_DAGS = Path(__file__).parent / "dags"
_TESTS = PROJECT / "tests"


@pytest.fixture(scope="session")
def toy_platform(tmp_path_factory: pytest.TempPathFactory, python_image: str) -> Iterator[OwnPlatform]:
    """The whole platform, healthy, on free ports and in a home of its own; each test has models of its
    own."""
    search_path = os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH"))))
    own = OwnPlatform.make(tmp_path_factory.mktemp("platform"), dags=_DAGS)
    containers = training_variables(python_image, mounts=(own.home.root / "data",))
    own.environment.update({**containers, "PYTHONPATH": search_path})
    own.environment["PATH"] = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    try:
        started = own.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield own
    finally:
        ended = own.command("down")
        assert ended.returncode == 0, ended.stdout + ended.stderr
