"""A model whose versions may be retired."""

from pathlib import Path

import pytest

from lineage_examples import Records, clock, records
from mlops_core.reports import ReportStore
from registry_examples import Clock
from retirement_examples import Estate

__all__ = ["clock", "records"]


@pytest.fixture
def estate(records: Records, clock: Clock, local_tracking_uri: str, tmp_path: Path) -> Estate:
    return Estate(records, local_tracking_uri, ReportStore(tmp_path / "reports"), tmp_path / "archive", clock)
