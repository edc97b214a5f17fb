"""Ask a person whether a version may go to production, in Airflow's web UI or by its API."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.links import EvaluationReportLink, MlflowRunLink, ModelCardLink
from airflow_mlops.operators.step import StepOperator, actor, effect_key
from mlops_core.operation import operation_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.evaluation.report import EvaluationReport
    from mlops_core.registry.records import Approval, VersionRecord

APPROVE, REJECT = "Approve", "Reject"
_NOBODY = "nobody"


class ApproveOperator(StepOperator, HITLOperator):
    """Wait for a person's yes or no to a registered version; XCom: ``Approval``.

    The question shows the candidate beside the champion. The answer names the evidence, by the field that the
    form brings along, and is recorded in the ledger for exactly that version, evidence and generation: it is
    void when the champion has moved meanwhile, or when the question is an older one than the evidence. A no,
    and no answer in time, fail the task.

    Parameters
    ----------
    version
        What ``RegisterOperator`` returned; templated.
    evaluation
        ``run_id`` and ``digest`` of the evaluation report that speaks for it; templated.
    approvers
        Ids of the Airflow users who may answer (the simple auth manager's are their names); everybody who may
        answer tasks of the DAG if empty.
    timeout_hours
        After so long the answer is no.
    not_the_requester
        Refuse the answer of the person who triggered the run.
    pipeline
        The declaration as ``"package.module:NAME"``, for the card; without it the card stays as it is.
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
                "reason": Param("", type="string", maxLength=500, title="Reason"),
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
                operation_key=_question(context),
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
        with self.translated_errors():
            given = self._given(context)
        if given is not None:
            self.log.info("answered already by %s", given.actor)
            return _concluded(given)
        StepOperator.execute(self, context)
        return HITLOperator.execute(self, context)

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> Any:
        """Record the answer, and fail unless it is a yes that holds."""
        with self.translated_errors():
            given = self._given(context) or self._record(context, event)
            record, report = self._subject()
            self.write_card(self.pipeline, version=record, report=report)
            return _concluded(given)

    def _given(self, context: "Context") -> "Approval | None":
        """Return the answer to this question if it was recorded before the task died."""
        from mlops_core.registry.records import VersionRecord

        model = VersionRecord.model_validate(self.version).model
        key = _answer(context)
        return next((made for made in self.ledger.approvals(model) if made.operation_key == key), None)

    def _record(self, context: "Context", event: dict[str, Any]) -> "Approval":
        record, report = self._subject()
        user = event.get("responded_by_user")
        subject: dict[str, Any] = {
            "model": record.model,
            "version": record.version,
            "expected_generation": report.generation,
            "evidence_digest": report.digest(),
            "operation_key": _answer(context),
        }
        if user is None or event.get("timedout") or "error" in event:
            waited = f"no answer within {self.response_timeout}"
            return self.ledger.reject(**subject, actor=_NOBODY, reason=waited)
        answer = event.get("params_input") or {}
        reason = str(answer.get("reason") or "").strip() or "no reason given"
        self._require_right(context, user)
        if event.get("chosen_options") != [APPROVE]:
            return self.ledger.reject(**subject, actor=user["name"], reason=reason)
        if answer.get("evidence") != report.digest():
            raise AirflowFailException(
                f"the approval of {user['name']} is void: it names the evidence {answer.get('evidence')!r}, "
                f"and the version stands on {report.digest()!r}; clear this task to ask again"
            )
        return self.ledger.approve(**subject, actor=user["name"], reason=reason)

    def _require_right(self, context: "Context", user: dict[str, str]) -> None:
        names = {user["id"], user["name"]}
        if self.approvers and not names & set(self.approvers):
            raise AirflowFailException(
                f"{user['name']} may not answer; approvers: {', '.join(self.approvers)}. Clear this task to "
                "ask again"
            )
        if self.not_the_requester and actor(context) in names:
            raise AirflowFailException(
                f"{user['name']} caused this training and may not approve it too; clear this task and let "
                "another approver answer"
            )

    def _subject(self) -> "tuple[VersionRecord, EvaluationReport]":
        from mlops_core.evaluation.evaluate import read_report
        from mlops_core.registry.records import VersionRecord

        run_id, digest = self.evaluation["run_id"], self.evaluation["digest"]
        return (
            VersionRecord.model_validate(self.version),
            read_report(self.mlflow_client, run_id, digest=digest),
        )

    def _fit_seconds(self, run_id: str) -> float | None:
        metrics: dict[str, float] = self.mlflow_client.get_run(run_id).data.metrics
        return metrics.get("fit_seconds")


def _question(context: "Context") -> str:
    """Name the question: the same for every try, and another one when a person has cleared the task.

    Clearing raises the number of tries that a task instance may have; a retry does not.
    """
    return operation_key(effect_key(context), "question", context["ti"].max_tries)


def _answer(context: "Context") -> str:
    return operation_key(_question(context), "answer")


def _concluded(answered: "Approval") -> dict[str, Any]:
    if answered.verdict != "approve":
        raise AirflowFailException(
            f"version {answered.version} of {answered.model} is rejected by {answered.actor}: "
            f"{answered.reason}"
        )
    return answered.model_dump(mode="json")
