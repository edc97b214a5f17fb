"""Spoilt models, each really fitted, stored and evaluated, and the gate that must stop it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import planted_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import EvaluationError, GateRefusedError
from mlops_core.evaluation.evaluate import evaluate
from mlops_core.evaluation.gates import enforce
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.pipeline import Pipeline
from mlops_core.predictions import predictions_table_of
from mlops_core.registry.records import VersionRecord
from mlops_core.reports import ReportStore
from mlops_core.signing.signer import Signer
from mlops_core.training.job import TrainingPlan, TrainJob, TrainResult
from mlops_core.training.split import holdout_split
from mlops_core.training.train import train
from servers import MlflowServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

AUC = {"kind": "absolute", "metric": "roc_auc", "minimum": 0.6}
FEATURES = ("amount", "count", "group")
EXAMINED: dict[str, Any] = {
    "slice": ("slices", {"columns": ["group"], "weak_slices": 0, "minimum_rows": 20}),
    "fairness": ("fairness", {"sensitive": ["group"], "minimum_rows": 20}),
    "robustness": ("robustness", {"perturbations": [{"kind": "absent", "columns": ["amount"]}]}),
    "serving": ("serving", {"requests": 20}),
    "leakage": ("leakage", {"rows": 500}),
    "replay": ("replay", {"windows": 1}),
}
for _gate in ("latency", "size", "skew"):
    EXAMINED[_gate] = EXAMINED["serving"]

Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Spoilt:
    """One way of spoiling: what is fitted on what, the gate beside the absolute one, and its words.

    What was served before was right or wrong, or nothing was.
    """

    gate: dict[str, Any]
    words: str
    fit: str = "fit_good"
    features: tuple[str, ...] = FEATURES
    held_out: Change = field(default=lambda rows: rows)
    plant: Callable[[pytest.MonkeyPatch], None] = field(default=lambda _: None)
    served: bool | None = None
    champion: str | None = None
    beside: tuple[dict[str, Any], ...] = ()


def _replace(rows: pa.Table, column: str, values: Any) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(column), column, pa.array(values))


def _all_late(rows: pa.Table) -> pa.Table:
    return _replace(rows, "late", [True] * rows.num_rows)


def _few_of_south(rows: pa.Table) -> pa.Table:
    """Keep one row of the smaller group fewer than are compared, and let two larger groups be alike."""
    groups = np.asarray(rows["group"].to_pylist())
    north, south = (np.flatnonzero(groups == name) for name in ("north", "south"))
    kept = np.concatenate([north, south[:19]])
    named = [*(("east", "west")[place % 2] for place in range(len(north))), *["south"] * 19]
    return _replace(rows.take(kept), "group", named)


def _the_training_rows(rows: pa.Table) -> pa.Table:
    """Hold out, under keys of their own, half of what was trained on."""
    former = planted_models.table(planted_models.PARTITIONS[0]).slice(0, rows.num_rows // 2)
    return pa.concat_tables([former, rows.slice(0, rows.num_rows // 2)])


def _texts(rows: pa.Table) -> pa.Table:
    return _replace(rows, "amount", [f"{value:.1f} EUR" for value in rows["amount"].to_pylist()])


def _answer_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model overflow on rows that it was not fitted on; on those that it was, its fit fails."""

    def overflow(_: LoadedModel, frame: pd.DataFrame) -> Predictions:
        return Predictions(scores=np.full(len(frame), np.nan), labels=np.zeros(len(frame), dtype=bool))

    monkeypatch.setattr(LoadedModel, "predict", overflow)


def _shift_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process score otherwise than a clean one: what a patched library in the worker does."""
    right = LoadedModel.predict

    def shifted(model: LoadedModel, frame: pd.DataFrame) -> Predictions:
        found = right(model, frame)
        return Predictions(scores=np.clip(found.scores + 0.01, 0, 1), labels=found.labels)

    monkeypatch.setattr(LoadedModel, "predict", shifted)


SPOILT: dict[str, Spoilt] = {
    "a metric that is NaN": Spoilt(AUC, "NaN or infinite", plant=_answer_nan),
    "a metric that does not exist on these rows": Spoilt(
        AUC, "undefined: none of the 600 held-out rows is of class False", held_out=_all_late
    ),
    "a model that has learnt nothing": Spoilt(AUC, "does not reach the minimum", fit="fit_constant"),
    "a model that says the opposite": Spoilt(AUC, "does not reach the minimum", fit="fit_backwards"),
    "a model whose signature does not fit the rows": Spoilt(AUC, "it cannot score the rows", held_out=_texts),
    "a model that changes the rows it is scored on": Spoilt(
        AUC, "the challenger was scored on the rows", fit="fit_in_place", features=("amount",)
    ),
    "a model worse than the champion": Spoilt(
        {"kind": "champion", "metric": "roc_auc", "margin": 0.01},
        "does not lie above -0.01",
        fit="fit_line",
        champion="fit_good",
    ),
    "a model as good as the champion where a better one is asked for": Spoilt(
        {"kind": "champion", "metric": "roc_auc"}, "does not lie above 0", champion="fit_good"
    ),
    "worse on one slice": Spoilt(
        {"kind": "slice", "metric": "roc_auc", "minimum": 0.6}, "group = south", fit="fit_line"
    ),
    "worse on one slice than the champion": Spoilt(
        {"kind": "slice", "metric": "roc_auc", "margin": 0.1},
        "group = south",
        fit="fit_line",
        champion="fit_good",
    ),
    "unequal odds of two groups": Spoilt(
        {
            "kind": "fairness",
            "measure": "equalized_odds_difference",
            "attribute": "group",
            "maximum": 0.2,
        },
        "equalized_odds_difference",
        fit="fit_line",
    ),
    "unequal opportunity of two groups": Spoilt(
        {
            "kind": "fairness",
            "measure": "equal_opportunity_difference",
            "attribute": "group",
            "maximum": 0.2,
        },
        "equal_opportunity_difference",
        fit="fit_line",
    ),
    "wrong about a group too small to compare": Spoilt(
        {
            "kind": "fairness",
            "measure": "equal_opportunity_difference",
            "attribute": "group",
            "maximum": 0.2,
        },
        "not compared, which alone is a refusal: south (19 rows)",
        fit="fit_line",
        held_out=_few_of_south,
    ),
    "one group alone, so that nothing can be compared": Spoilt(
        {"kind": "fairness", "measure": "disparate_impact_ratio", "attribute": "group", "minimum": 0.8},
        "group",
        held_out=lambda rows: _replace(rows, "group", ["north"] * rows.num_rows),
    ),
    "certain where it should doubt": Spoilt(
        {"kind": "calibration", "maximum": 0.15}, "calibration", fit="fit_overconfident"
    ),
    "lost without one column": Spoilt(
        {"kind": "robustness", "metric": "roc_auc", "maximum_loss": 0.1}, "amount"
    ),
    "too slow": Spoilt({"kind": "latency", "maximum_ms": 0.001}, "ms"),
    "too big": Spoilt({"kind": "size", "maximum_mb": 0.01}, "MB"),
    "scored otherwise in a clean process": Spoilt({"kind": "skew"}, "0.01", plant=_shift_scores),
    "a feature that is the answer": Spoilt(
        {"kind": "leakage", "maximum_power": 0.9},
        "receipt",
        fit="fit_receipt",
        features=(*FEATURES, "receipt"),
    ),
    "held-out rows that were trained on": Spoilt(
        {"kind": "leakage", "maximum_power": 1.0}, "held-out rows", held_out=_the_training_rows
    ),
    "most served answers would change": Spoilt(
        {"kind": "replay", "maximum_disagreement": 0.2},
        "gets a label that was not served",
        served=False,
    ),
    "a gate of one's own says no": Spoilt(
        {"kind": "custom", "name": "own", "check": "planted_models:refuse"}, "one row too few"
    ),
    "a gate of one's own that fails": Spoilt(
        {"kind": "custom", "name": "own", "check": "planted_models:fail"}, "raised KeyError"
    ),
    "a gate of one's own that answers no answer": Spoilt(
        {"kind": "custom", "name": "own", "check": "planted_models:answer_yes_without_a_word"},
        "returned a bool",
    ),
}


@pytest.fixture
def judged(
    mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Callable[[Spoilt], EvaluationReport]:
    """Fit, store and evaluate what is spoilt."""

    def judge(spoilt: Spoilt) -> EvaluationReport:
        place = Bench(mlflow_server.uri, tmp_path, name=f"planted_{abs(hash(request.node.name)) % 10**9}")
        return place.evaluate(spoilt, monkeypatch)

    return judge


class Bench:
    """A snapshot, candidates fitted on it, and their evaluation, on a real MLflow server."""

    def __init__(self, tracking_uri: str, folder: Path, *, name: str) -> None:
        self.tracking_uri = tracking_uri
        self.store = SnapshotStore(str(folder / "data"))
        self.reports = ReportStore(folder / "reports")
        self.name = name

    def evaluate(self, spoilt: Spoilt, monkeypatch: pytest.MonkeyPatch) -> EvaluationReport:
        first, last = planted_models.PARTITIONS
        self.store.write_partition(self.name, first, planted_models.table(first))
        self.store.write_partition(self.name, last, spoilt.held_out(planted_models.table(last)))
        pipeline = self._declare(spoilt)
        if spoilt.served is not None:
            self._serve(last, rightly=spoilt.served)
        result = self._fit(pipeline, spoilt.fit, key="challenger")
        champion = None
        if spoilt.champion is not None:
            champion = self._champion(self._fit(pipeline, spoilt.champion, key="champion"))
        spoilt.plant(monkeypatch)
        plan = self._plan(pipeline, champion=champion)
        return evaluate(
            pipeline,
            plan=plan,
            results=[result],
            store=self.store,
            tracking_uri=self.tracking_uri,
            reports=self.reports,
            report_key="evaluate",
        )

    def _declare(self, spoilt: Spoilt) -> Pipeline:
        gates = [AUC, *(gate for gate in (spoilt.gate, *spoilt.beside) if gate is not AUC)]
        examined = dict(EXAMINED[gate["kind"]] for gate in gates if gate["kind"] in EXAMINED)
        return Pipeline(
            name=self.name,
            task="binary_classification",
            loader="planted_models:table",
            target="late",
            key="id",
            features=spoilt.features,
            candidates=[
                {"name": name, "fit": f"planted_models:{name}"}
                for name in dict.fromkeys((spoilt.fit, spoilt.champion or spoilt.fit))
            ],
            gates=gates,
            evaluation={"resamples": 200, **examined},
        )

    def _job(self, pipeline: Pipeline, candidate: str, *, key: str) -> TrainJob:
        snapshot = self.store.current(self.name)
        return TrainJob(
            pipeline=self.name,
            reference="planted_models:NONE",
            candidate=candidate,
            snapshot=snapshot,
            split=holdout_split(self.store.partitions(snapshot), pipeline.split),
            operation_key=f"{self.name}/{key}",
            tracking_uri=self.tracking_uri,
            data_uri=self.store.data_uri,
        )

    def _fit(self, pipeline: Pipeline, candidate: str, *, key: str) -> TrainResult:
        return train(self._job(pipeline, candidate, key=key), pipeline=pipeline)

    def _plan(self, pipeline: Pipeline, *, champion: dict[str, Any] | None) -> TrainingPlan:
        job = self._job(pipeline, pipeline.candidates[0].name, key="challenger")
        return TrainingPlan(
            pipeline=self.name, snapshot=job.snapshot, split=job.split, jobs=(job,), champion=champion
        )

    def _champion(self, fitted: TrainResult) -> dict[str, Any]:
        """Sign the fitted model as version 1, as registration does."""
        unsigned = VersionRecord(
            model=self.name,
            version=1,
            digest=fitted.model.digest,
            uri=fitted.model.uri,
            run_id=fitted.run_id,
            evidence_digest="evidence",
        )
        signed = unsigned.model_copy(update={"signature": Signer.from_settings().sign(unsigned)})
        return signed.model_dump(mode="json")

    def _serve(self, partition: str, *, rightly: bool) -> None:
        """Log predictions of what was true, or of its opposite."""
        rows = self.store.read(self.store.current(self.name), partitions=[partition])
        late = np.asarray(rows["late"].to_pylist()) == rightly
        table = pa.table(
            {
                "key": rows["id"],
                "score": np.where(late, 0.9, 0.1),
                "label": late,
                "model_version": pa.array([1] * len(late), pa.int64()),
                "model_digest": ["digest"] * len(late),
            }
        )
        self.store.write_partition(predictions_table_of(self.name), partition, table)


# The bound alone makes the gate refuse, or the answer of its function.
STOPS_EVERY_MODEL = {"robustness", "latency", "size", "custom"}


def test_the_good_model_passes_the_very_gates_that_stop_the_spoilt_ones(judged: Any) -> None:
    """Otherwise a refusal below would show nothing."""
    gates = [spoilt.gate for spoilt in SPOILT.values() if spoilt.gate["kind"] not in STOPS_EVERY_MODEL]
    wider = (
        {"kind": "robustness", "metric": "roc_auc", "maximum_loss": 0.9},
        {"kind": "latency", "maximum_ms": 60_000},
        {"kind": "size", "maximum_mb": 100},
        {"kind": "custom", "name": "own", "check": "planted_models:agree"},
    )
    distinct = [gate for place, gate in enumerate(gates) if gate not in gates[:place]]

    report = judged(Spoilt(AUC, "", beside=(*distinct, *wider), champion="fit_line", served=True))

    kinds = {spoilt.gate["kind"] for spoilt in SPOILT.values()}
    assert {verdict.kind for verdict in report.verdicts} == kinds
    assert report.passed, [verdict.reason for verdict in report.verdicts if not verdict.passed]


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_model_is_stopped_by_the_gate_that_should_stop_it(judged: Any, name: str) -> None:
    spoilt = SPOILT[name]

    report = judged(spoilt)

    verdict = report.verdicts[-1]
    assert (verdict.kind, verdict.passed) == (spoilt.gate["kind"], False), report.verdicts
    assert spoilt.words in verdict.reason
    with pytest.raises(GateRefusedError, match="is refused by"):
        enforce(report)
    others = [other for other in report.verdicts if other is not verdict]
    assert all(other.passed for other in others), [other.reason for other in others]


def test_a_fit_that_diverged_is_stopped_before_there_is_a_model_to_judge(judged: Any) -> None:
    with pytest.raises(EvaluationError, match="the fit has diverged"):
        judged(Spoilt(AUC, "", fit="fit_nan"))


def test_a_model_that_changes_its_rows_does_not_spoil_the_champion_s(judged: Any) -> None:
    alone = judged(Spoilt(AUC, "", fit="fit_line", features=("amount",)))

    report = judged(Spoilt(AUC, "", fit="fit_in_place", features=("amount",), champion="fit_line"))

    assert report.challenger.rows_digest != report.rows_digest
    assert report.champion.rows_digest == report.rows_digest
    assert report.champion.score("roc_auc").value == alone.challenger.score("roc_auc").value
