"""Plan a training and fit one candidate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_mlops.assets import retraining_request_asset
from airflow_mlops.container_labels import container_labels
from airflow_mlops.links import MlflowRunLink
from airflow_mlops.openlineage import OpenLineageMixin
from airflow_mlops.operators.container import ContainerOperator
from airflow_mlops.operators.step import PipelineOperator, actor, effect_key
from mlops_core.errors import ContainerFailedError, DeclarationError, MlopsError
from mlops_core.runners import Docker, InProcess

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.containers.ended import Ended
    from mlops_core.containers.specification import ContainerJob
    from mlops_core.training.job import TrainJob, TrainResult


class PlanTrainingOperator(PipelineOperator):
    """Decide what is trained, on what, and whether the policy allows it; XCom: the list of ``TrainJob``.

    The whole ``TrainingPlan`` is the XCom ``plan``: Airflow maps a task over return values alone.

    The Params ``reason``, ``candidates`` and ``seed`` of the DAG, where it has them, say what is asked for.
    """

    def step(self, context: "Context") -> list[dict[str, Any]]:
        """Fix the snapshot, the split and the jobs."""
        from mlops_core.planning import TrainingRequest, plan_training
        from mlops_core.registry.records import PipelineRecord

        conf = context["params"]
        declared = self.declaration
        self.ledger.record_pipeline(
            PipelineRecord(
                name=declared.name,
                owner=declared.owner,
                risk=declared.risk,
                description=declared.description,
                reference=self.pipeline,
                at=datetime.now(UTC),
            )
        )
        plan = plan_training(
            self.declaration,
            request=TrainingRequest(
                requested_by=_requester(context, model=declared.name),
                actor=actor(context),
                reason=conf.get("reason") or "",
                candidates=conf.get("candidates"),
                seed=conf.get("seed"),
            ),
            reference=self.pipeline,
            store=self.snapshots,
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
            operation_key=effect_key(context),
        )
        self.log.info("%s", plan.reason)
        context["ti"].xcom_push(key="plan", value=plan.model_dump(mode="json"))
        return [job.model_dump(mode="json") for job in plan.jobs]


class TrainOperator(OpenLineageMixin, ContainerOperator, PipelineOperator):
    """Run one train job where its candidate is declared to run; XCom: ``TrainResult``.

    Parameters
    ----------
    job
        A ``TrainJob`` document; templated, so that the task can be mapped over the plan's jobs.
    """

    template_fields: Sequence[str] = ("job",)
    operator_extra_links = (MlflowRunLink(),)

    def __init__(self, *, job: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job

    def step(self, context: "Context") -> "TrainResult":
        """Fit, or adopt the finished run of the same operation key."""
        from mlops_core.training.runners import find_runner

        self.mlflow.sign_in()
        if isinstance(self._runner, Docker):
            return cast("TrainResult", self.run_container(context))
        return self._show(find_runner(self._runner).run(self._train_job))

    def container_job(self, context: "Context") -> "ContainerJob":
        """Return the containers that the candidate declares."""
        from mlops_core.training.docker import container_job

        # Whoever follows the container anew must describe it as whoever started it did.
        self.mlflow.sign_in()
        if not isinstance(self._runner, Docker):
            raise DeclarationError(f"candidate {self._train_job.candidate!r} is not fitted in a container")
        self.cpu_fallback = self._runner.cpu_fallback
        return container_job(
            self._train_job,
            declared=self._runner,
            settings=self.settings,
            labels=container_labels(context, self.settings),
        )

    def take_result(self, context: "Context", content: bytes | None) -> "TrainResult":  # noqa: ARG002
        """Read the train job's result."""
        from mlops_core.training.docker import train_result

        return self._show(train_result(content))

    def container_error(self, error: ContainerFailedError, job: "ContainerJob") -> MlopsError:
        """Return what the train job itself has raised."""
        from mlops_core.training.docker import train_error

        return train_error(error, engine=self.engine, container=job)

    def record_usage(self, ended: "Ended") -> None:
        """Record CPU seconds and peak memory on the job's run, where the job did not come to do so."""
        from mlops_core.training import aftermath

        if not ended.is_success:
            with self._whatever_mlflow_says():
                aftermath.record_usage(self.mlflow_client, self._train_job, ended.usage())

    def record_failure(self, *, by_person: bool) -> None:
        """End the job's run: a process that was killed has left it running."""
        from mlops_core.training import aftermath

        with self._whatever_mlflow_says():
            aftermath.record_end(self.mlflow_client, self._train_job, "KILLED" if by_person else "FAILED")

    @contextmanager
    def _whatever_mlflow_says(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  how the containers ended matters more
            self.log.warning("the run of this train job does not say how it ended: %s", error)

    @cached_property
    def _train_job(self) -> "TrainJob":
        from mlops_core.training.job import TrainJob

        return TrainJob.model_validate(self.job)

    @cached_property
    def _runner(self) -> InProcess | Docker:
        return self.declaration.runner_of(self._train_job.candidate)

    def _show(self, result: "TrainResult") -> "TrainResult":
        from mlops_core.lineage.openlineage import StepLineage, model_dataset, snapshot_dataset

        model = model_dataset(
            result.model, tracking_uri=self._train_job.tracking_uri, candidate=result.candidate
        )
        self.lineage = StepLineage(inputs=(snapshot_dataset(self._train_job.snapshot),), outputs=(model,))
        self.show_run(result.run_id)
        return result


def _requester(context: "Context", *, model: str) -> Literal["person", "policy", "schedule"]:
    """Say who asked for the training.

    Raises
    ------
    DeclarationError
        If somebody sent the policy's event by Airflow's API, which does not keep who: then the same person
        could approve what comes of it.
    """
    run_type = str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type))
    if "asset" not in run_type:
        return "schedule" if run_type == "scheduled" else "person"
    requests = context["triggering_asset_events"].get(retraining_request_asset(model)) or ()
    if any(request.source_dag_id is None for request in requests):
        raise DeclarationError(
            f"the request to train {model!r} came by the API, which does not say who sent it; "
            f"trigger {context['dag_run'].dag_id} instead"
        )
    return "policy" if requests else "schedule"
