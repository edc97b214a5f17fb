"""A small model whose loader and suite a test sets."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore

_MODULE = "ingest_example"
_SOURCE = """
LOADED = {}
SUITE = []


def load(partition):
    return LOADED[partition]


def suite():
    return SUITE


def suite_of_partition(partition):
    return SUITE[0](partition)


def fit(features, target, *, seed):
    raise NotImplementedError
"""


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    # A space in the path, because a URI is made of it on the way.
    return SnapshotStore(str(tmp_path / "the home" / "data"))


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    return ReportStore(tmp_path / "reports")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The functions that ``declare`` names; set ``LOADED`` and ``SUITE`` on it."""
    (tmp_path / f"{_MODULE}.py").write_text(_SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(_MODULE)
    sys.modules.pop(_MODULE)


@pytest.fixture
def declare(example: ModuleType) -> Callable[..., Pipeline]:
    """Declare the small model, with some fields changed."""

    def pipeline(**fields: object) -> Pipeline:
        declared: dict[str, object] = {
            "name": "toy",
            "task": "binary_classification",
            "loader": f"{example.__name__}:load",
            "target": "late",
            "key": "id",
            "candidates": [{"name": "only", "fit": f"{example.__name__}:fit"}],
            "gates": [{"kind": "absolute", "metric": "roc_auc", "minimum": 0.5}],
        }
        return Pipeline(**{**declared, **fields})

    return pipeline


@pytest.fixture
def month() -> Callable[..., pa.Table]:
    """Make a month of the small model's data."""

    def table(rows: int = 20, *, prefix: str = "a") -> pa.Table:
        return pa.table(
            {
                "id": [f"{prefix}{row}" for row in range(rows)],
                "distance": [float(row) for row in range(rows)],
                "carrier": ["UA" if row % 3 else None for row in range(rows)],
                "late": pa.array([row % 2 if row % 7 else None for row in range(rows)], pa.int64()),
            }
        )

    return table
