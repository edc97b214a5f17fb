"""What is trained next, on which data, and whether it may be."""

from typing import Literal

from mlops_core.data.snapshots import PartitionEntry, SnapshotIdentity, SnapshotStore
from mlops_core.document import Document
from mlops_core.errors import DeclarationError, RetrainingRefusedError
from mlops_core.operation import operation_key as key_of
from mlops_core.pipeline import Candidate, Name, Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.training.job import Seed, TrainingPlan, TrainJob
from mlops_core.training.split import holdout_split


class TrainingRequest(Document):
    """Who asks for a training, and what for.

    ``candidates`` are the names of those to fit, all if None; ``seed`` is of the fit, the pipeline's if None.
    """

    requested_by: Literal["person", "policy", "schedule"]
    actor: str
    reason: str = ""
    candidates: tuple[Name, ...] | None = None
    seed: Seed | None = None


def plan_training(
    pipeline: Pipeline,
    *,
    request: TrainingRequest,
    reference: str,
    store: SnapshotStore,
    ledger: Ledger,
    tracking_uri: str,
    operation_key: str,
) -> TrainingPlan:
    """Fix the snapshot, the split and a job a candidate, and record the training in the ledger.

    A person may always ask. A request of the policy is refused where the same data were trained on already:
    its answer is known, and asking again is how retraining loops begin.

    Parameters
    ----------
    reference
        Where a train job finds the declaration.

    Raises
    ------
    RetrainingRefusedError
        If the policy asks for a training that was done.
    DeclarationError
        If a candidate is unknown, or there are too few partitions to hold one out.
    """
    snapshot = store.current(pipeline.name)
    entries = store.partitions(snapshot)
    state = ledger.state(pipeline.name)
    if request.requested_by == "policy":
        _require_untrained(snapshot, ledger=ledger, model=pipeline.name, operation_key=operation_key)
    split = holdout_split(entries, pipeline.split)
    jobs = tuple(
        TrainJob(
            pipeline=pipeline.name,
            reference=reference,
            candidate=candidate.name,
            snapshot=snapshot,
            split=split,
            parameters=candidate.parameters,
            # The metric decides which parameters win, and so belongs to the job's digest.
            search=candidate.search and candidate.search.judged_by(pipeline.primary_metric.name),
            cross_validation=candidate.cross_validation,
            seed=pipeline.seed if request.seed is None else request.seed,
            operation_key=key_of(operation_key, candidate.name),
            tracking_uri=tracking_uri,
            data_uri=store.data_uri,
        )
        for candidate in _chosen(pipeline, request.candidates)
    )
    ledger.record_training(
        pipeline.name,
        snapshot_digest=snapshot.digest,
        partitions=tuple(entry.partition for entry in entries),
        operation_key=operation_key,
        requested_by=request.actor,
    )
    return TrainingPlan(
        pipeline=pipeline.name,
        snapshot=snapshot,
        split=split,
        jobs=jobs,
        champion=state.champion.model_dump(mode="json") if state.champion else None,
        generation=state.generation,
        reason=_explain(request, entries=entries),
    )


def _require_untrained(snapshot: SnapshotIdentity, *, ledger: Ledger, model: str, operation_key: str) -> None:
    last = ledger.last_training(model)
    if last is None or last.snapshot_digest != snapshot.digest or last.operation_key == operation_key:
        return
    raise RetrainingRefusedError(
        f"{model} was trained on snapshot version {snapshot.version} already; "
        "publish new data, or trigger the training by hand"
    )


def _chosen(pipeline: Pipeline, names: tuple[str, ...] | None) -> tuple[Candidate, ...]:
    if names is None:
        return pipeline.candidates
    if not names:
        raise DeclarationError("candidates: name at least one, or leave it empty (null) for all")
    return tuple(pipeline.candidate(name) for name in names)


def _explain(request: TrainingRequest, *, entries: tuple[PartitionEntry, ...]) -> str:
    asked = {
        "person": f"{request.actor} asked for it",
        "policy": "the retraining policy asked for it",
        "schedule": "its schedule is due",
    }[request.requested_by]
    why = f" ({request.reason})" if request.reason else ""
    rows = sum(entry.rows for entry in entries)
    return f"{asked}{why}; {len(entries)} partitions, {rows} rows"
