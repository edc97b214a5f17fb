"""Containers that fit with this machine's own environment, so that tests need no training image."""

import json
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
_FOLDERS = (Path(sys.prefix), PROJECT / "include", PROJECT / "tests")


def training_variables(image: str, *, mounts: tuple[Path, ...] = ()) -> dict[str, str]:
    """Return the settings of such containers: this environment and the code, mounted read-only."""
    folders = [{"source": str(folder), "target": str(folder)} for folder in (*_FOLDERS, *mounts)]
    return {
        "MLOPS_TRAIN_IMAGE": image,
        "MLOPS_TRAIN_NETWORK": "host",
        "MLOPS_TRAIN_MOUNTS": json.dumps(folders),
        "MLOPS_TRAIN_ENVIRONMENT": '["PATH", "PYTHONPATH"]',
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{PROJECT / 'include'}:{PROJECT / 'tests'}",
    }


def set_training_variables(monkeypatch: pytest.MonkeyPatch, image: str, *mounts: Path) -> None:
    """Let this process start such containers."""
    for name, value in training_variables(image, mounts=mounts).items():
        monkeypatch.setenv(name, value)
