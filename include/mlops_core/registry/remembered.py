"""What the ledger remembers beside its decisions: pipelines, evaluations, trainings, the policy's answers."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from mlops_core.registry import evaluations, retraining
from mlops_core.registry.records import DecisionRecord, EvaluationRecord, PipelineRecord, TrainingRecord
from mlops_core.registry.transactions import Transactions, declare


class Remembered(Transactions):
    """Pipelines, evaluations, trainings and decisions of the retraining policy."""

    def record_pipeline(self, record: PipelineRecord) -> PipelineRecord:
        """Remember a declared pipeline; a later declaration of the same name takes its place."""
        return self._database.write(lambda session: evaluations.record_pipeline(session, record))

    def pipelines(self) -> tuple[PipelineRecord, ...]:
        """Return the declared pipelines by name."""
        with self._database.reading() as session:
            return evaluations.pipelines(session)

    def pipeline(self, name: str) -> PipelineRecord | None:
        """Return the declared pipeline of that name."""
        with self._database.reading() as session:
            return evaluations.pipeline(session, name)

    def record_evaluation(self, record: EvaluationRecord) -> EvaluationRecord:
        """Remember an evaluation, whether it passed or not.

        Returns
        -------
        The one that the operation key recorded first with this evidence.
        """
        return self._database.write(lambda session: evaluations.record_evaluation(session, record))

    def evaluations(self, model: str, *, limit: int = 100) -> tuple[EvaluationRecord, ...]:
        """Return the latest evaluations, the newest first."""
        with self._database.reading() as session:
            return evaluations.evaluations(session, model, limit=limit)

    def evaluation(self, model: str, *, evidence_digest: str) -> EvaluationRecord | None:
        """Return the latest evaluation that came to this evidence, however long ago."""
        with self._database.reading() as session:
            return evaluations.evaluation(session, model, evidence_digest=evidence_digest)

    def holdout_uses(self, model: str, *, rows_digest: str, operation_key: str) -> int:
        """Count the evaluations of other operation keys that used these held-out rows."""
        with self._database.reading() as session:
            return evaluations.holdout_uses(
                session, model, rows_digest=rows_digest, operation_key=operation_key
            )

    def record_training(
        self,
        model: str,
        *,
        snapshot_digest: str,
        partitions: Sequence[str],
        operation_key: str,
        requested_by: str,
    ) -> TrainingRecord:
        """Remember that a training of this snapshot was attempted."""
        record = declare(
            TrainingRecord,
            model=model,
            snapshot_digest=snapshot_digest,
            partitions=tuple(partitions),
            operation_key=operation_key,
            requested_by=requested_by,
            at=self._clock(),
        )
        return self._database.write(lambda session: retraining.record_training(session, record))

    def last_training(self, model: str) -> TrainingRecord | None:
        """Return the training that was attempted last."""
        return next(iter(self.trainings(model, limit=1)), None)

    def trainings(self, model: str, *, limit: int = 100) -> tuple[TrainingRecord, ...]:
        """Return the latest attempted trainings, the newest first."""
        with self._database.reading() as session:
            return retraining.trainings(session, model, limit=limit)

    def record_decision(
        self, model: str, *, operation_key: str, window: str, decision: Mapping[str, JsonValue]
    ) -> DecisionRecord:
        """Remember what the retraining policy decided about a window."""
        record = declare(
            DecisionRecord,
            model=model,
            window=window,
            decision=dict(decision),
            operation_key=operation_key,
            at=self._clock(),
        )
        return self._database.write(lambda session: retraining.record_decision(session, record))

    def decisions(self, model: str, *, limit: int = 100) -> tuple[DecisionRecord, ...]:
        """Return the latest decisions, the newest first."""
        with self._database.reading() as session:
            return retraining.decisions(session, model, limit=limit)
