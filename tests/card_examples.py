"""A version of the toy model with evidence in depth: something of most parts, names that attack a page."""

from hashlib import sha256
from typing import Any

from lineage_examples import Records
from mlops_core.data.documents import SnapshotIdentity
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.report import (
    CandidateEvaluation,
    ChampionEvaluation,
    Difference,
    EvaluationReport,
    GateVerdict,
    MissingScore,
    Score,
)
from mlops_core.evaluation.sections import (
    AttributeFairness,
    FairnessScore,
    FairnessSection,
    FeaturePower,
    GroupRates,
    LeakageSection,
    PerturbedScore,
    RobustnessSection,
    Sections,
    ServingSection,
    Skew,
    SliceEvaluation,
    SliceSection,
    UnexaminedPart,
)
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import CardDeclaration, Pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.training import run as tracked
from mlops_core.training.job import SplitIdentity, TrainResult
from registry_examples import version_record
from toy_models import BINARY

ATTACK = "<script>alert(1)</script>|[x](javascript:alert(1))"
FEATURES = {"amount": "double", ATTACK: "string"}


def declared(model: str, **changes: Any) -> Pipeline:
    card = CardDeclaration(
        intended_use="Decide which parcels are looked at.\n\nNever alone.",
        out_of_scope="People.",
        limitations=("Only parcels of one year.",),
    )
    fields = {"name": model, "description": "Parcels that arrive late.", "owner": "ada", "card": card}
    return BINARY.model_copy(update={**fields, **changes})


def score(metric: str, value: float, half: float = 0.01) -> Score:
    return Score(metric=metric, value=value, lower=value - half, upper=value + half)


def sections() -> Sections:
    def slice_of(name: str, value: float | None, rows: int) -> SliceEvaluation:
        scores = () if value is None else (score("roc_auc", value, 0.04),)
        return SliceEvaluation(name=name, columns=("colour",), found=False, rows=rows, scores=scores)

    def group(name: str, rows: int) -> GroupRates:
        rates = {"selection_rate": 0.5, "true_positive_rate": 0.7, "false_positive_rate": None}
        return GroupRates(group=name, rows=rows, compared=rows >= 50, **rates)

    return Sections(
        slices=SliceSection(
            slices=(
                slice_of("colour = red", 0.82, 80),
                slice_of("colour = blue", 0.61, 60),
                slice_of(ATTACK, None, 7),
            ),
            minimum_rows=20,
        ),
        fairness=FairnessSection(
            attributes=(
                AttributeFairness(
                    attribute="member",
                    groups=(group("yes", 90), group("rare", 9)),
                    scores=(
                        FairnessScore(measure="equalized_odds_difference", value=0.1, lower=0.0, upper=0.2),
                    ),
                ),
            ),
            minimum_rows=50,
        ),
        robustness=RobustnessSection(
            rows=100,
            scores=(
                PerturbedScore(perturbation="missing 0.1", metric="roc_auc", value=0.7, loss=0.1),
                PerturbedScore(perturbation="noise 0.1", metric="roc_auc", value=0.81, loss=-0.01),
            ),
        ),
        serving=ServingSection(
            requests=200,
            rows_a_request=1,
            p50_ms=1.0,
            p95_ms=2.0,
            p99_ms=3.0,
            load_seconds=0.5,
            peak_memory_mb=120.0,
            size_bytes=2_500_000,
            skew=Skew(rows=5, largest_difference=0.0, differing_labels=0),
        ),
        leakage=LeakageSection(
            rows=200,
            powers=(FeaturePower(feature=ATTACK, power=0.4),),
            holdout_rows=100,
            overlapping_rows=2,
            overlap=0.02,
        ),
        unexamined=(UnexaminedPart(part="explanation", reason="ValueError: too many columns"),),
    )


def examined_report(
    model: str, *, stored: ModelRecord, snapshot: SnapshotIdentity, **changes: Any
) -> EvaluationReport:
    """Return a report of version 1 in production, beaten by a challenger."""
    run_id = stored.run_id
    rows = sha256(b"rows").hexdigest()
    challenger = CandidateEvaluation(
        candidate="trees",
        run_id=run_id,
        model=stored,
        rows_digest=rows,
        scores=(score("accuracy", 0.75, 0.2), score("roc_auc", 0.8)),
        missing=(MissingScore(metric="log_loss", reason="it is infinite"),),
    )
    fields: dict[str, Any] = {
        "pipeline": model,
        "task": Task.BINARY_CLASSIFICATION,
        "snapshot": snapshot,
        "split": SplitIdentity(
            training_partitions=("2013-01",), holdout_partitions=("2013-02",), digest="split"
        ),
        "holdout_rows": 100,
        "dropped_rows": 10,
        "rows_digest": rows,
        "primary_metric": "roc_auc",
        "challenger": challenger,
        "others": (challenger.model_copy(update={"candidate": "line"}),),
        "champion": ChampionEvaluation(
            version=1, model=stored, rows_digest=rows, scores=(score("roc_auc", 0.7),)
        ),
        "differences": (Difference(metric="roc_auc", improvement=0.1, lower=0.05, upper=0.15),),
        "sections": sections(),
        "verdicts": (
            GateVerdict(
                gate="roc_auc >= 0.6",
                metric="roc_auc",
                kind="absolute",
                passed=True,
                value=0.8,
                bound=0.6,
                reason="0.8 reaches 0.6",
            ),
        ),
        "holdout_uses": 12,
        "generation": 0,
        "seed": 0,
        "resamples": 500,
        "confidence": 0.95,
    }
    return EvaluationReport(**{**fields, **changes})


def carded(records: Records, *, number: int = 2, **changes: Any) -> tuple[VersionRecord, EvaluationReport]:
    """Record a run with everything that a train job leaves, and a version in the ledger that it made."""
    for key in ("2013-01", "2013-02"):
        records.publish(key)
    job = records.job(training=("2013-01",), holdout=("2013-02",))
    run_id = records.run(job)
    tracked.log_dataset(records.client, run_id, job=job, features=FEATURES, rows=190)
    records.client.log_metric(run_id, "system/cpu_seconds", 12.5)
    stored = ModelRecord(run_id=run_id, model_id="m-1", uri="models:/m-1", digest="digest-1")
    report = examined_report(records.model, stored=stored, snapshot=job.snapshot, **changes)
    result = TrainResult(
        candidate="trees",
        run_id=run_id,
        model=report.challenger.model,
        parameters={"iterations": 5},
        rows=190,
        fit_seconds=1.5,
    )
    records.client.log_text(run_id, result.model_dump_json(), tracked.RESULT_FILE)
    record = records.ledger.record_version(
        version_record(number, model=records.model, run_id=run_id, evidence_digest=report.digest()),
        operation_key=f"{records.model}/register/{number}",
        actor="train",
    )
    return record, report
