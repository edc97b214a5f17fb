"""Where the pages read: the ledger, the report store, and MLflow with a limit to its patience."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLateError
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow_mlops.ui.ownership import is_owned
from mlops_core.errors import DeclarationError, RegistryUnavailableError
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import EvaluationRecord
from mlops_core.reports import ReportStore
from mlops_core.settings import Settings

if TYPE_CHECKING:
    from mlops_core.evaluation.report import EvaluationReport

PATIENCE_S = 8.0
"""A page that waits longer for MLflow is no use; what the ledger says is shown all the same."""


def open_ledger() -> Ledger:
    """Return this process's ledger."""
    return _ledger(Settings.from_environment().ledger_url)


@cache
def _ledger(url: str) -> Ledger:
    return Ledger(url)


def mlflow_address() -> str:
    """Return the address of MLflow, for links."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from airflow_mlops.hooks.mlflow import MlflowHook

    try:
        return MlflowHook().link_address
    except (AirflowNotFoundException, ValueError):
        return Settings.from_environment().tracking_uri


def read_evaluation(record: EvaluationRecord) -> "EvaluationReport":
    """Read the report of an evaluation from MLflow, proved by its digest.

    Raises
    ------
    RegistryUnavailableError
        If MLflow does not answer within ``PATIENCE_S``.
    EvaluationError, CorruptedDataError
        If the report is not there, or not the one that was judged.
    """
    # The first import of MLflow takes seconds of its own, which say nothing about the server.
    from mlops_core.evaluation import evidence as _evidence  # noqa: F401

    waiting = _readers().submit(_cached_report, record.run_id, record.evidence_digest)
    try:
        return waiting.result(timeout=PATIENCE_S)
    except TooLateError as error:
        raise RegistryUnavailableError(
            f"MLflow did not answer within {PATIENCE_S:.0f} s; load the page again for the numbers"
        ) from error


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="mlops-evidence")


# What a digest names never changes, so it is read once; failures are not kept.
@lru_cache(maxsize=256)
def _cached_report(run_id: str, digest: str) -> "EvaluationReport":
    from airflow.sdk.exceptions import AirflowNotFoundException

    from airflow_mlops.hooks.mlflow import MlflowHook
    from mlops_core.evaluation.evidence import read_report
    from mlops_core.tracking import tracking_client

    try:
        client = MlflowHook().get_conn()
    except (AirflowNotFoundException, ValueError):
        client = tracking_client(Settings.from_environment().tracking_uri)
    return read_report(client, run_id, digest=digest)


def page_addresses(base: str) -> Callable[[str, str], str]:
    """Return a function that gives the address of a stored page of a DAG; empty if there is no such page."""
    store = ReportStore(Settings.from_environment().reports_path)

    def address(dag_id: str, path: str) -> str:
        try:
            page = store.path(path)
        except DeclarationError:
            return ""
        if not path or not page.is_file() or not is_owned(page, dag_id=dag_id):
            return ""
        return f"{base}/reports?{urlencode({'dag_id': dag_id, 'path': path})}"

    return address
