"""Ask a person whether a version may go to production, in Airflow's web UI or by its API."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from airflow_mlops.links import EvaluationReportLink, MlflowRunLink, ModelCardLink
from airflow_mlops.operators.step import StepOperator, actor, as_xcom, round_key
from mlops_core.operation import operation_key
from mlops_core.policies import APPROVE, LONGEST_REASON, REJECT, SHORTEST_REASON

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.evaluation.report import EvaluationReport
    from mlops_core.registry.records import Approval, VersionRecord


class ApproveOperator(StepOperator, HITLOperator):
    """Wait for a person's yes or no to a registered version; XCom: ``Approval``.

    The question shows the candidate beside the champion. The answer names the evidence, by the field that the
    form brings along, and is recorded in the ledger for exactly that version, evidence and generation: it is
    void when the champion has moved meanwhile, when the question is an older one than the evidence, or when a
    yes has no reason of 3 to 500 characters. A void answer, a no, and no answer in time fail the task.

    Parameters
    ----------
    version
        What ``RegisterOperator`` returned; templated.
    evaluation
        What ``EvaluateOperator`` or ``GateOperator`` returned; templated. ``run_id`` and ``digest`` suffice.
    approvers
        Ids of the Airflow users who may answer (the simple auth manager's are their names); everybody who may
        answer tasks of the DAG if empty.
    timeout_hours
        After so long the answer is no.
    not_the_requester
        Refuse the answer of the person who triggered the run.
    pipeline
        The declaration as ``"package.module:NAME"``, for the card; without it the card stays as it is.

    Notes
    -----
    It is tried again after five seconds, whatever ``retry_delay`` says.
    """

    template_fields: Collection[str] = ("version", "evaluation")
    operator_extra_links = (EvaluationReportLink(), ModelCardLink(), MlflowRunLink())

    def __init__(
        self,
        *,
        version: Any,
        evaluation: Any,
        approvers: Sequence[str] = (),
        timeout_hours: float = 72.0,
        not_the_requester: bool = False,
        pipeline: str | None = None,
        **kwargs: Any,
    ) -> None:
        # The DAG's Params are no fields of the answer.
        kwargs.pop("params", None)
        # An answer that comes at once overtakes the executor's news that the asking process has ended, and
        # Airflow then ends the answering one. The next try finds the answer, or asks once more.
        kwargs["retry_delay"] = timedelta(seconds=5)
        kwargs["retry_exponential_backoff"] = False
        super().__init__(
            subject="May this version go to production?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            params={
                # Airflow holds nobody to this; the answer is judged when it comes.
                "reason": Param(
                    "",
                    type="string",
                    maxLength=LONGEST_REASON,
                    title="Reason",
                    description=f"{SHORTEST_REASON} to {LONGEST_REASON} characters, for the ledger; an "
                    "approval without one is void",
                ),
                "evidence": Param(
                    "",
                    type="string",
                    title="Evidence",
                    description="What the answer is about: leave it as it is",
                ),
            },
            assigned_users=[{"id": name, "name": name} for name in approvers] or None,
            response_timeout=timedelta(hours=timeout_hours),
            **kwargs,
        )
        self.pipeline = pipeline
        self.version = version
        self.evaluation = evaluation
        self.approvers = tuple(approvers)
        self.not_the_requester = not_the_requester

    def step(self, context: "Context") -> None:
        """Record the request and word the question."""
        from mlops_core.evaluation.briefing import briefing
        from mlops_core.registry.records import ApprovalRequest

        record, report = self._subject()
        now = datetime.now(UTC)
        task = context["ti"]
        self.ledger.request_approval(
            ApprovalRequest(
                model=record.model,
                version=record.version,
                generation=report.generation,
                evidence_digest=report.digest(),
                risk=report.risk,
                approvers=self.approvers,
                requested_by=actor(context),
                dag_id=task.dag_id,
                run_id=task.run_id,
                task_id=task.task_id,
                operation_key=self._question(context),
                at=now,
                expires_at=now + (self.response_timeout or timedelta(0)),
            )
        )
        self.write_card(self.pipeline, version=record, report=report)
        self.show_run(record.run_id)
        if page := self.evaluation.get("page"):
            self.show_report("evaluation", page)
        self.subject = f"May version {record.version} of {record.model} go to production?"
        self.body = briefing(report, version=record.version, fit_seconds=self._fit_seconds(record.run_id))
        self.params["evidence"] = report.digest()

    def execute(self, context: "Context") -> Any:
        """Ask; the task then waits without a worker slot. A retry finds the answer that was given."""
        from mlops_core.registry.answers import require_yes

        with self.translated_errors():
            given = self._given(context)
            if given is not None:
                self.log.info("answered already by %s", given.actor)
                return as_xcom(require_yes(given))
        StepOperator.execute(self, context)
        return HITLOperator.execute(self, context)

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> Any:
        """Record the answer, and fail unless it is a yes that holds."""
        from mlops_core.registry.answers import require_yes

        with self.translated_errors():
            record, report = self._subject()
            given = self._given(context) or self._record(context, event, record=record, report=report)
            self.write_card(self.pipeline, version=record, report=report)
            return as_xcom(require_yes(given))

    def _given(self, context: "Context") -> "Approval | None":
        """Return the answer to this question if it was recorded before the task died."""
        from mlops_core.registry.records import VersionRecord

        model = VersionRecord.model_validate(self.version).model
        key = self._answer(context)
        return next((made for made in self.ledger.approvals(model) if made.operation_key == key), None)

    def _record(
        self,
        context: "Context",
        event: dict[str, Any],
        *,
        record: "VersionRecord",
        report: "EvaluationReport",
    ) -> "Approval":
        """Say in the library's words what Airflow says of the answer."""
        from mlops_core.registry.answers import PersonsAnswer, record_answer, record_silence

        user = event.get("responded_by_user")
        if user is None or event.get("timedout") or "error" in event:
            return record_silence(
                record,
                report=report,
                waited=self.response_timeout or timedelta(0),
                ledger=self.ledger,
                operation_key=self._answer(context),
            )
        fields = event.get("params_input") or {}
        return record_answer(
            PersonsAnswer(
                user_id=user["id"],
                user_name=user["name"],
                approves=event.get("chosen_options") == [APPROVE],
                reason=str(fields.get("reason") or ""),
                evidence=fields.get("evidence"),
            ),
            record,
            report=report,
            approvers=self.approvers,
            requester=actor(context) if self.not_the_requester else None,
            ledger=self.ledger,
            operation_key=self._answer(context),
        )

    def _question(self, context: "Context") -> str:
        """Name the question: the same for every try, and another one when a person has cleared the task."""
        return operation_key(round_key(context, retries=self.retries), "question")

    def _answer(self, context: "Context") -> str:
        return operation_key(self._question(context), "answer")

    def _subject(self) -> "tuple[VersionRecord, EvaluationReport]":
        from mlops_core.registry.records import VersionRecord

        return VersionRecord.model_validate(self.version), self.read_evaluation(self.evaluation)

    def _fit_seconds(self, run_id: str) -> float | None:
        metrics: dict[str, float] = self.mlflow_client.get_run(run_id).data.metrics
        return metrics.get("fit_seconds")
