"""Plan a training and fit one candidate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlops.links import MlflowRunLink
from airflow_mlops.operators.step import PipelineOperator, actor, effect_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.training.job import TrainResult


class PlanTrainingOperator(PipelineOperator):
    """Decide what is trained, on what, and whether the policy allows it; XCom: the list of ``TrainJob``.

    The whole ``TrainingPlan`` is the XCom ``plan``: Airflow maps a task over return values alone.

    The Params ``reason``, ``candidates`` and ``seed`` of the DAG, where it has them, say what is asked for.
    """

    def step(self, context: "Context") -> list[dict[str, Any]]:
        """Fix the snapshot, the split and the jobs."""
        from mlops_core.planning import TrainingRequest, plan_training

        conf = context["params"]
        plan = plan_training(
            self.declaration,
            request=TrainingRequest(
                requested_by=_requester(context),
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


class TrainOperator(PipelineOperator):
    """Run one train job; XCom: ``TrainResult``.

    Parameters
    ----------
    job
        A ``TrainJob`` document; templated, so that the task can be mapped over the plan's jobs.
    runner
        Where the job runs: a name registered in ``mlops_core.training.runners``.
    """

    template_fields: Sequence[str] = ("job",)
    operator_extra_links = (MlflowRunLink(),)

    def __init__(self, *, job: Any, runner: str = "in_process", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.runner = runner

    def step(self, context: "Context") -> "TrainResult":  # noqa: ARG002
        """Fit, or adopt the finished run of the same operation key."""
        from mlops_core.training.job import TrainJob
        from mlops_core.training.runners import find_runner

        job = TrainJob.model_validate(self.job)
        self.mlflow.sign_in()
        result = find_runner(self.runner).run(job)
        self.show_run(result.run_id)
        return result


def _requester(context: "Context") -> Literal["person", "policy", "schedule"]:
    run_type = str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type))
    if "asset" in run_type:
        return "policy"
    return "schedule" if run_type == "scheduled" else "person"
