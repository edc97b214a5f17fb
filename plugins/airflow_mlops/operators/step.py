"""What all operators share: a declared pipeline, the services around it, how errors end a task."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.hooks.mlflow import MlflowHook
from mlops_core.document import Document
from mlops_core.errors import DeclarationError, RejectedError
from mlops_core.operation import operation_key

if TYPE_CHECKING:
    from airflow.sdk import Context
    from mlflow.tracking import MlflowClient

    from mlops_core.data.snapshots import SnapshotStore
    from mlops_core.evaluation.report import EvaluationReport
    from mlops_core.pipeline import Pipeline
    from mlops_core.registry.ledger import Ledger
    from mlops_core.registry.records import VersionRecord
    from mlops_core.reports import ReportStore
    from mlops_core.settings import Settings


class StepOperator(BaseOperator):
    """One step around the registry, the ledger and the stores; it returns a document as its XCom.

    A decision against the data or the model fails the task at once, since asking again gives the same
    answer. An unreachable service raises as it is, so Airflow retries.

    Parameters
    ----------
    mlflow_conn_id
        Connection of type ``mlflow``.
    closed_conf
        Refuse a run whose conf holds a key that is no Param of the DAG. Airflow checks the declared Params
        against their schema when a run is triggered, and lets other keys pass.
    """

    def __init__(
        self,
        *,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        closed_conf: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id
        self.closed_conf = closed_conf
        self.evidence: dict[str, str] = {}

    @abstractmethod
    def step(self, context: "Context") -> Document | Mapping[str, Any] | list[dict[str, Any]] | None:
        """Do the step's work and return what the next one needs."""

    def execute(self, context: "Context") -> Any:
        """Run the step and translate its errors into what Airflow does about them."""
        with self.translated_errors():
            if self.closed_conf:
                require_declared_conf(context)
            return as_xcom(self.step(context))

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Fail the task at once where another try would give the same answer."""
        try:
            yield
        except (RejectedError, DeclarationError) as error:
            raise AirflowFailException(str(error)) from error

    @cached_property
    def settings(self) -> "Settings":
        """Addresses from the environment of the task."""
        from mlops_core.settings import Settings

        return Settings.from_environment()

    @cached_property
    def mlflow(self) -> MlflowHook:
        """The hook of the MLflow server."""
        return MlflowHook(self.mlflow_conn_id)

    @cached_property
    def tracking_uri(self) -> str:
        """Address of the MLflow server; this process is signed in when it is known."""
        return self.mlflow.sign_in()

    @cached_property
    def mlflow_client(self) -> "MlflowClient":
        """A client of the MLflow server."""
        return self.mlflow.get_conn()

    @cached_property
    def ledger(self) -> "Ledger":
        """The record of what is in production."""
        from mlops_core.registry.ledger import Ledger

        return Ledger(self.settings.ledger_url)

    @cached_property
    def snapshots(self) -> "SnapshotStore":
        """The versioned data."""
        from mlops_core.data.snapshots import SnapshotStore

        return SnapshotStore(self.settings.data_uri)

    @cached_property
    def reports(self) -> "ReportStore":
        """The pages that the web UI shows."""
        from mlops_core.reports import ReportStore

        return ReportStore(self.settings.reports_path)

    def show_run(self, run_id: str) -> None:
        """Link the task to a tracked run."""
        experiment_id = self.mlflow_client.get_run(run_id).info.experiment_id
        self.evidence["mlflow_run"] = self.mlflow.run_url(run_id, experiment_id=experiment_id)

    def show_report(self, kind: str, report: str) -> None:
        """Link the task to a page of the report store, for people who may read this DAG."""
        from airflow_mlops.ui.ownership import claim

        claim(self.reports.path(report), dag_id=self.dag_id)
        self.evidence[kind] = f"/mlops/reports?dag_id={quote(self.dag_id)}&path={quote(report, safe='')}"

    def read_evaluation(self, evaluation: Mapping[str, Any]) -> "EvaluationReport":
        """Read back the report that ``EvaluateOperator`` names, proved by its digest."""
        from mlops_core.evaluation.evidence import read_report

        return read_report(self.mlflow_client, evaluation["run_id"], digest=evaluation["digest"])

    def write_card(
        self, pipeline: str | None, *, version: "VersionRecord", report: "EvaluationReport"
    ) -> None:
        """Write what is known of a version by now, and link the task to it; nothing without a declaration."""
        if pipeline is None:
            return
        from mlops_core.cards.build import build_card
        from mlops_core.cards.write import write_card
        from mlops_core.pipeline import load_pipeline

        card = build_card(
            load_pipeline(pipeline),
            version=version,
            report=report,
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
        )
        self.show_report("card", write_card(card, client=self.mlflow_client, reports=self.reports))


class PipelineOperator(StepOperator):
    """A step of one declared pipeline.

    Parameters
    ----------
    pipeline
        The declaration as ``"package.module:NAME"``. A reference and not the object, because what an
        operator holds is serialized at every parse.
    """

    def __init__(self, *, pipeline: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    @cached_property
    def declaration(self) -> "Pipeline":
        """The pipeline that the reference names."""
        from mlops_core.pipeline import load_pipeline

        return load_pipeline(self.pipeline)


def as_xcom(result: Any) -> Any:
    """Return a document as the JSON that the next task reads; anything else as it is."""
    return result.model_dump(mode="json") if isinstance(result, Document) else result


def effect_key(context: "Context") -> str:
    """Name the effect of this task instance; every try of it gets the same name."""
    task_instance = context["ti"]
    parts: Sequence[object] = (task_instance.dag_id, task_instance.run_id, task_instance.task_id)
    if task_instance.map_index is not None and task_instance.map_index >= 0:
        parts = (*parts, task_instance.map_index)
    return operation_key(*parts)


def round_key(context: "Context", *, retries: int | None) -> str:
    """Name the effect of this task instance until a person clears it, which begins another round.

    Clearing raises the tries that it may have to those that it had and ``retries`` more; a retry does not.
    """
    return operation_key(effect_key(context), "round", context["ti"].max_tries - (retries or 0))


def actor(context: "Context") -> str:
    """Name who caused this run: the person who triggered it, or the DAG itself."""
    dag_run = context["dag_run"]
    return dag_run.triggering_user_name or f"dag:{dag_run.dag_id}"


def require_declared_conf(context: "Context") -> None:
    """Refuse a run whose conf holds a key that the DAG does not declare.

    Raises
    ------
    DeclarationError
        The message lists the known keys.
    """
    declared = set(context["dag"].params)
    if unknown := sorted(set(context["dag_run"].conf or {}) - declared):
        raise DeclarationError(
            f"conf has unknown keys: {', '.join(unknown)}; "
            f"known keys: {', '.join(sorted(declared)) or 'none'}"
        )
