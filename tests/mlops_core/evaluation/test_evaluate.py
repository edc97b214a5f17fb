"""The whole evaluation over planted models; MLflow is taken from it, and what it would store is kept."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toy_models
from evaluation_examples import planted_model
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, EvaluationError, UntrustedModelError
from mlops_core.evaluation import evaluate as room
from mlops_core.evaluation.evaluate import evaluate, page_path
from mlops_core.evaluation.report import Comparison, EvaluationReport
from mlops_core.models.loaded import Predictions
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import ModelReference
from mlops_core.models.trust import TrustedCode
from mlops_core.pipeline import AbsoluteGate, ChampionGate, Pipeline
from mlops_core.reports import ReportStore
from mlops_core.signing import SignedVersion
from mlops_core.training.job import TrainingPlan, TrainJob, TrainResult
from mlops_core.training.split import holdout_split

Answer = Callable[[pd.DataFrame], Predictions]
PIPELINE = toy_models.BINARY.model_copy(
    update={
        "trusted_types": frozenset({"toy_models.Odd"}),
        "gates": (
            AbsoluteGate(metric="roc_auc", minimum=0.6),
            ChampionGate(metric="roc_auc", margin=0.02),
        ),
    }
)
CHAMPION = {
    "model": PIPELINE.name,
    "version": 3,
    "digest": "c" * 64,
    "uri": "models:/m-champion",
    "run_id": "run-champion",
    "evidence_digest": None,
    "signature": {"key_id": "0123456789abcdef", "value": "c2lnbmF0dXJl"},
}


def by_amount(*, strength: float) -> Answer:
    """A model that knows the amount, and believes it that strongly."""

    def answer(frame: pd.DataFrame) -> Predictions:
        scores = 1 / (1 + np.exp(-strength * frame["amount"].fillna(0).to_numpy()))
        return Predictions(scores=scores, labels=scores >= 0.5)

    return answer


def backwards(frame: pd.DataFrame) -> Predictions:
    scores = by_amount(strength=-1)(frame).scores
    return Predictions(scores=scores, labels=scores >= 0.5)


def not_a_number(frame: pd.DataFrame) -> Predictions:
    return Predictions(scores=np.full(len(frame), np.nan), labels=np.zeros(len(frame), dtype=bool))


def noisy(frame: pd.DataFrame) -> Predictions:
    scores = np.random.default_rng(0).random(len(frame))
    return Predictions(scores=scores, labels=scores >= 0.5)


class Workplace:
    """Snapshots, reports, and models by their digest."""

    def __init__(self, folder: Path) -> None:
        self.store = SnapshotStore(str(folder / "data"))
        self.reports = ReportStore(folder / "reports")
        self.models: dict[str, Answer] = {}
        self.logged: list[tuple[EvaluationReport, str]] = []
        for partition in toy_models.PARTITIONS:
            self.store.write_partition(PIPELINE.name, partition, toy_models.load(partition))

    def load_model(self, record: ModelReference, *, tracking_uri: str, trusted: TrustedCode) -> Any:
        assert trusted == TrustedCode(
            trusted_types=frozenset({"toy_models.Odd"}), packages=frozenset({"toy_models"})
        )
        return self._load(record, tracking_uri=tracking_uri)

    def _load(self, record: ModelReference, *, tracking_uri: str) -> Any:
        assert tracking_uri == "http://mlflow"
        if record.digest not in self.models:
            raise UntrustedModelError(f"{record.uri} differs from its digest")
        return planted_model(self.models[record.digest], classes=(False, True), digest=record.digest)

    def load_version(self, version: SignedVersion, *, tracking_uri: str) -> Any:
        assert (version.model, version.version) == (PIPELINE.name, 3)
        assert version.signature is not None
        return self._load(version, tracking_uri=tracking_uri)

    def plan(self, *, champion: Mapping[str, Any] | None = None, generation: int = 0) -> TrainingPlan:
        snapshot = self.store.current(PIPELINE.name)
        split = holdout_split(self.store.partitions(snapshot), PIPELINE.split)
        jobs = [
            TrainJob(
                pipeline=PIPELINE.name,
                reference="toy_models:BINARY",
                candidate=candidate.name,
                snapshot=snapshot,
                split=split,
                operation_key=f"train/{candidate.name}",
                tracking_uri="http://mlflow",
                data_uri="",
            )
            for candidate in PIPELINE.candidates
        ]
        return TrainingPlan(
            pipeline=PIPELINE.name,
            snapshot=snapshot,
            split=split,
            jobs=tuple(jobs),
            champion=None if champion is None else dict(champion),
            generation=generation,
        )

    def trained(self, candidate: str, answer: Answer) -> TrainResult:
        digest = candidate.ljust(64, "0")
        self.models[digest] = answer
        model = ModelRecord(
            run_id=f"run-{candidate}", model_id=f"m-{candidate}", uri=f"models:/m-{candidate}", digest=digest
        )
        return TrainResult(
            candidate=candidate,
            run_id=model.run_id,
            model=model,
            parameters={},
            rows=1,
            fit_seconds=0,
        )

    def evaluate(
        self,
        *results: TrainResult,
        champion: Answer | None = None,
        generation: int = 0,
        pipeline: Pipeline = PIPELINE,
        plan: TrainingPlan | None = None,
    ) -> EvaluationReport:
        if champion is not None:
            self.models[str(CHAMPION["digest"])] = champion
        return evaluate(
            pipeline,
            plan=plan or self.plan(champion=None if champion is None else CHAMPION, generation=generation),
            results=results,
            store=self.store,
            tracking_uri="http://mlflow",
            reports=self.reports,
            report_key="run-1/evaluate",
        )


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    place = Workplace(tmp_path)
    monkeypatch.setattr(room, "load_model", place.load_model)
    monkeypatch.setattr(room, "load_version", place.load_version)
    monkeypatch.setattr(room, "tracking_client", lambda uri: uri)
    monkeypatch.setattr(
        room,
        "log_evidence",
        lambda client, report, *, page, files: place.logged.append((report, page)),  # noqa: ARG005
    )
    return place


def test_the_first_model_passes_at_the_cold_start_and_the_report_says_so(workplace: Workplace) -> None:
    report = workplace.evaluate(workplace.trained("trees", by_amount(strength=1)))

    assert report.passed
    assert report.cold_start
    assert report.differences == ()
    assert [verdict.passed for verdict in report.verdicts] == [True, True]
    assert report.verdicts[1].reason.startswith("no champion yet: cold start")


def test_the_report_names_the_rows_it_is_about(workplace: Workplace) -> None:
    plan = workplace.plan()

    report = workplace.evaluate(workplace.trained("trees", by_amount(strength=1)), plan=plan)

    assert (report.snapshot, report.split) == (plan.snapshot, plan.split)
    assert report.holdout_rows + report.dropped_rows == toy_models.ROWS
    assert report.rows_digest == report.challenger.rows_digest


def test_the_best_candidate_becomes_the_challenger_whatever_order_they_finished_in(
    workplace: Workplace,
) -> None:
    trees = workplace.trained("trees", noisy)
    line = workplace.trained("line", by_amount(strength=1))

    one, other = workplace.evaluate(trees, line), workplace.evaluate(line, trees)

    assert one.challenger.candidate == "line"
    assert [candidate.candidate for candidate in one.others] == ["trees"]
    assert one.digest() == other.digest()


def test_the_best_candidate_by_a_loss_is_the_one_with_the_least(workplace: Workplace) -> None:
    pipeline = PIPELINE.model_copy(update={"gates": (AbsoluteGate(metric="log_loss", maximum=0.69),)})

    report = workplace.evaluate(
        workplace.trained("trees", backwards),
        workplace.trained("line", by_amount(strength=1)),
        pipeline=pipeline,
    )

    assert report.challenger.candidate == "line"
    assert report.passed


@pytest.mark.parametrize(
    "gate", [AbsoluteGate(metric="roc_auc", minimum=0.6), AbsoluteGate(metric="log_loss", maximum=0.5)]
)
def test_a_candidate_without_a_score_is_never_the_best(workplace: Workplace, gate: AbsoluteGate) -> None:
    report = workplace.evaluate(
        workplace.trained("trees", not_a_number),
        workplace.trained("line", backwards),
        pipeline=PIPELINE.model_copy(update={"gates": (gate,)}),
    )

    assert report.challenger.candidate == "line"


def test_of_equal_candidates_the_first_declared_wins(workplace: Workplace) -> None:
    same = by_amount(strength=1)

    report = workplace.evaluate(workplace.trained("line", same), workplace.trained("trees", same))

    assert report.challenger.candidate == "trees"


def test_a_better_challenger_meets_the_champion_on_the_same_rows_and_passes(workplace: Workplace) -> None:
    report = workplace.evaluate(
        workplace.trained("trees", by_amount(strength=1)), champion=noisy, generation=4
    )

    assert report.passed
    assert not report.cold_start
    assert report.champion is not None
    assert report.champion.version == 3
    assert report.champion.model.uri == "models:/m-champion"
    assert report.champion.rows_digest == report.challenger.rows_digest
    assert report.generation == 4
    assert next(one for one in report.differences if one.metric == "roc_auc").lower > 0


def test_the_best_of_two_meets_the_champion_at_half_the_doubt(workplace: Workplace) -> None:
    alone = workplace.evaluate(workplace.trained("trees", by_amount(strength=1)), champion=noisy)
    chosen = workplace.evaluate(
        workplace.trained("trees", by_amount(strength=1)),
        workplace.trained("line", backwards),
        champion=noisy,
    )

    assert alone.comparison == Comparison(candidates=1, confidence=0.95, resamples=500)
    assert chosen.comparison is not None
    assert (chosen.comparison.candidates, chosen.comparison.resamples) == (2, 800)
    assert chosen.comparison.confidence == pytest.approx(0.975)
    assert chosen.challenger.scores == alone.challenger.scores
    own, stricter = (
        next(one for one in report.differences if one.metric == "roc_auc") for report in (alone, chosen)
    )
    assert stricter.improvement == own.improvement
    assert stricter.lower < own.lower
    assert "97.5 % interval" in chosen.verdicts[1].reason
    assert "corrected for 2 candidates" in chosen.verdicts[1].reason
    assert "95 % interval" in alone.verdicts[1].reason


def test_without_a_champion_nothing_is_compared_and_the_report_keeps_its_form(workplace: Workplace) -> None:
    report = workplace.evaluate(
        workplace.trained("trees", by_amount(strength=1)), workplace.trained("line", backwards)
    )

    assert report.comparison is None
    assert "comparison" not in report.model_dump()
    assert EvaluationReport.model_validate_json(report.canonical_json()).digest() == report.digest()


def test_a_model_that_changes_its_rows_leaves_the_others_as_they_were(workplace: Workplace) -> None:
    line = workplace.trained("line", by_amount(strength=1))
    honest = workplace.evaluate(line, champion=noisy)

    beside = workplace.evaluate(workplace.trained("trees", spoil_all), line, champion=by_amount(strength=0.5))

    assert beside.challenger.candidate == "line"
    own, alone = (report.challenger.score("roc_auc") for report in (beside, honest))
    assert own is not None
    assert alone is not None
    assert own.value == alone.value
    [spoiler] = beside.others
    assert spoiler.rows_digest != beside.rows_digest
    assert beside.champion is not None
    assert beside.champion.rows_digest == beside.challenger.rows_digest == beside.rows_digest
    assert beside.champion.score("roc_auc") == own


def refuse(frame: pd.DataFrame) -> Predictions:
    raise KeyError(f"no such column in {list(frame)}")


def one_class(frame: pd.DataFrame) -> Predictions:
    return Predictions(scores=np.zeros(len(frame)), labels=np.zeros(len(frame), dtype=bool))


def tampering(frame: pd.DataFrame) -> Predictions:
    answer = by_amount(strength=1)(frame)
    frame["amount"] = 0.0
    return answer


def spoil_all(frame: pd.DataFrame) -> Predictions:
    frame["amount"] = -frame["amount"]
    return by_amount(strength=1)(frame)


@pytest.mark.parametrize(
    ("challenger", "champion", "reason"),
    [
        (backwards, None, "does not reach the minimum 0.6"),
        (not_a_number, None, "predictions are NaN or infinite"),
        (refuse, None, "it cannot score the rows: KeyError"),
        (one_class, None, "roc_auc 0.5000 (95 % interval 0.5000 to 0.5000) does not reach the minimum 0.6"),
        (tampering, None, "the challenger was scored on the rows"),
        (noisy, by_amount(strength=1), "does not lie above -0.02"),
        (by_amount(strength=1), refuse, "champion version 3 has no roc_auc: it cannot score the rows"),
        (by_amount(strength=1), not_a_number, "champion version 3 has no roc_auc"),
    ],
    ids=[
        "ranks backwards",
        "answers NaN",
        "raises",
        "says always no",
        "changes the rows",
        "worse than the champion",
        "champion raises",
        "champion answers NaN",
    ],
)
def test_a_bad_challenger_is_refused_and_the_evidence_is_kept(
    workplace: Workplace, challenger: Answer, champion: Answer | None, reason: str
) -> None:
    report = workplace.evaluate(workplace.trained("trees", challenger), champion=champion)

    assert not report.passed
    assert any(reason in verdict.reason for verdict in report.verdicts if not verdict.passed)
    assert [logged for logged, _ in workplace.logged] == [report]


def test_a_challenger_whose_files_were_changed_is_an_error(workplace: Workplace) -> None:
    result = workplace.trained("trees", by_amount(strength=1))
    workplace.models.clear()

    with pytest.raises(UntrustedModelError, match="models:/m-trees differs from its digest"):
        workplace.evaluate(result)


def test_a_champion_whose_files_were_changed_is_an_error_and_no_cold_start(workplace: Workplace) -> None:
    result = workplace.trained("trees", by_amount(strength=1))

    with pytest.raises(UntrustedModelError, match="models:/m-champion differs from its digest"):
        workplace.evaluate(result, plan=workplace.plan(champion=CHAMPION))


def test_a_champion_that_is_no_version_record_is_an_error_and_no_cold_start(workplace: Workplace) -> None:
    result = workplace.trained("trees", by_amount(strength=1))

    with pytest.raises(EvaluationError, match="the plan's champion is no version record"):
        workplace.evaluate(result, plan=workplace.plan(champion={"version": 3}))


def test_the_page_is_stored_where_its_path_says(workplace: Workplace) -> None:
    workplace.evaluate(workplace.trained("trees", by_amount(strength=1)))

    path = workplace.reports.path(page_path(PIPELINE.name, report_key="run-1/evaluate"))

    assert path.read_text() == workplace.logged[0][1]


def test_the_same_evaluation_gives_the_same_digest_and_page(workplace: Workplace) -> None:
    result = workplace.trained("trees", by_amount(strength=1))

    first = workplace.evaluate(result, champion=noisy)
    again = workplace.evaluate(result, champion=noisy)

    assert first.digest() == again.digest()
    assert workplace.logged[0] == workplace.logged[1]


def test_no_train_result_is_refused(workplace: Workplace) -> None:
    with pytest.raises(
        DeclarationError, match="no train result to evaluate; the plan has jobs for trees, line"
    ):
        workplace.evaluate()


def test_a_result_that_was_not_planned_is_refused(workplace: Workplace) -> None:
    with pytest.raises(
        DeclarationError, match="train results of other are not in the plan; it has trees, line"
    ):
        workplace.evaluate(workplace.trained("other", noisy))


def test_two_results_of_one_candidate_are_refused(workplace: Workplace) -> None:
    result = workplace.trained("trees", noisy)

    with pytest.raises(DeclarationError, match="two train results of one candidate"):
        workplace.evaluate(result, result)


def test_the_plan_of_another_pipeline_is_refused(workplace: Workplace) -> None:
    result = workplace.trained("trees", noisy)

    with pytest.raises(
        DeclarationError, match="the plan is for pipeline 'toy_binary', given was 'toy_regression'"
    ):
        workplace.evaluate(result, pipeline=toy_models.REGRESSION)
