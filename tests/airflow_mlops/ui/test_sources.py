"""Where the pages read, and how long they wait."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.ui import sources
from airflow_mlops.ui.ownership import claim
from fleet_examples import WAITING, evaluation_record, report
from mlops_core.cards.places import card_page
from mlops_core.errors import EvaluationError, RegistryUnavailableError
from mlops_core.reports import ReportStore
from registry_examples import Clock

RECORD = evaluation_record(WAITING, Clock(), digest="d", key="1")


class Mlflow:
    """Stands for the reading of a report: answers, refuses, or keeps its caller waiting."""

    def __init__(self) -> None:
        self.asked = 0
        self.refusal: Exception | None = None
        self.answers = threading.Event()
        self.answers.set()

    def read(self, _client: object, _run_id: str, *, digest: str) -> Any:
        self.asked += 1
        assert self.answers.wait(timeout=30)
        if self.refusal is not None:
            raise self.refusal
        return report(seed=len(digest))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mlflow]:
    mlflow = Mlflow()
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", '{"conn_type": "mlflow", "host": "http://127.0.0.1"}')
    monkeypatch.setattr("mlops_core.evaluation.evidence.read_report", mlflow.read)
    sources._cached_report.cache_clear()
    yield mlflow
    mlflow.answers.set()
    sources._cached_report.cache_clear()


def test_a_report_is_read_once_because_its_digest_fixes_it(mlflow: Mlflow) -> None:
    assert sources.read_evaluation(RECORD) is sources.read_evaluation(RECORD)
    assert mlflow.asked == 1


def test_a_failure_is_not_kept(mlflow: Mlflow) -> None:
    mlflow.refusal = EvaluationError("evaluate it again")
    with pytest.raises(EvaluationError, match="evaluate it again"):
        sources.read_evaluation(RECORD)
    mlflow.refusal = None
    assert sources.read_evaluation(RECORD).seed == 1


def test_an_mlflow_that_hangs_does_not_hold_the_page(mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PATIENCE_S", 0.05)
    mlflow.answers.clear()
    with pytest.raises(RegistryUnavailableError, match="did not answer within"):
        sources.read_evaluation(RECORD)


def test_only_a_page_that_the_dag_made_has_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.delenv("MLOPS_REPORTS_PATH", raising=False)
    store = ReportStore(tmp_path / "reports")
    path = store.write(pipeline=WAITING, kind="card", key="v1", name="card.html", content="<p>")
    claim(store.path(path), dag_id="mine")
    address = sources.page_addresses("/mlops")
    assert path == card_page(WAITING, 1)
    assert address("mine", path) == f"/mlops/reports?dag_id=mine&path={WAITING}%2Fcard%2Fv1%2Fcard.html"
    for dag_id, asked in (("theirs", path), ("mine", ""), ("mine", "../x"), ("mine", f"{path}x")):
        assert address(dag_id, asked) == ""


def test_links_to_mlflow_lead_where_a_browser_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "mlflow", "host": "http://mlflow", "port": 5000}
    shown = {**connection, "extra": {"ui_url": "http://127.0.0.1:5001"}}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(shown))
    assert sources.mlflow_address() == "http://127.0.0.1:5001"

    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    assert sources.mlflow_address() == "http://mlflow:5000"
