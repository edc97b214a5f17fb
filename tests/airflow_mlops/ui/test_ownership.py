"""A report belongs to the DAG that made it."""

from pathlib import Path

from airflow_mlops.ui.ownership import claim, is_owned
from mlops_core.reports import ReportStore


def stored(root: Path, *, pipeline: str) -> Path:
    store = ReportStore(root)
    relative = store.write(pipeline=pipeline, kind="drift", key="one", name="report.html", content="<p>")
    return store.path(relative)


def test_the_dag_that_made_a_report_owns_it_whatever_its_name(tmp_path: Path) -> None:
    report = stored(tmp_path, pipeline="flights")
    claim(report, dag_id="my_own_dag")
    assert is_owned(report, dag_id="my_own_dag")


def test_another_dag_does_not_own_it(tmp_path: Path) -> None:
    report = stored(tmp_path, pipeline="flights")
    claim(report, dag_id="flights__monitor")
    assert not is_owned(report, dag_id="flights__ingest")


def test_a_path_that_points_beside_leads_to_the_owner_of_where_it_leads(tmp_path: Path) -> None:
    claim(stored(tmp_path, pipeline="mine"), dag_id="mine__monitor")
    claim(stored(tmp_path, pipeline="theirs"), dag_id="theirs__monitor")
    sidestep = ReportStore(tmp_path).path("mine/../theirs/drift/one/report.html")
    assert not is_owned(sidestep, dag_id="mine__monitor")


def test_a_report_that_nobody_claimed_is_nobodys(tmp_path: Path) -> None:
    assert not is_owned(stored(tmp_path, pipeline="flights"), dag_id="flights__monitor")
