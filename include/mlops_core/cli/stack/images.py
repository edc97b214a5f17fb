"""The images that are ours, made of the code as it is; the builder's cache has what did not change."""

from pathlib import Path
from typing import NamedTuple

from mlops_core.cli.stack.client import run_docker

TRAIN_IMAGE = "airflow-mlops-train:latest"
"""Candidates are fitted in it."""
STACK_IMAGE = "airflow-mlops:latest"
"""Every service of docker-compose.yaml that is ours."""

_BUILT_WITHIN_S = 1800.0


class _Build(NamedTuple):
    tag: str
    dockerfile: str
    target: str | None = None


_BUILDS = {
    TRAIN_IMAGE: (_Build(TRAIN_IMAGE, "train.Dockerfile", "train"),),
    STACK_IMAGE: (
        _Build("airflow-mlops-libraries:latest", "train.Dockerfile", "libraries"),
        _Build(STACK_IMAGE, "airflow.Dockerfile"),
    ),
}


def build_images(folder: Path, *images: str) -> None:
    """Make images from the project in a folder.

    Raises
    ------
    PlatformError
        If a build fails; it shows the end of its output.
    """
    for image in images:
        for build in _BUILDS[image]:
            target = () if build.target is None else ("--target", build.target)
            file = str(folder / "docker" / build.dockerfile)
            run_docker(
                *("build", "--quiet", "--file", file, *target, "--tag", build.tag, "."),
                folder=folder,
                timeout_s=_BUILT_WITHIN_S,
            )
