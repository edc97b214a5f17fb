"""One model with everything that a decision on it needs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from fleet_examples import HOSTILE, NEW, QUIET, WAITING, evaluation_record, populate
from mlops_core.errors import CorruptedDataError
from mlops_core.evaluation.report import Comparison, EvaluationReport, MissingScore
from mlops_core.fleet.evidence import numbers_of
from mlops_core.fleet.overview import read_fleet
from mlops_core.fleet.timeline import timeline
from mlops_core.fleet.versions import version_lines
from mlops_core.fleet.view import ModelView, read_model
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Approval, EvaluationRecord
from mlops_core.signing import Signature
from registry_examples import Clock, version_record


class Filled:
    """The example ledger, and the report on which its waiting version is judged."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", clock=self.clock)
        self.judged = populate(self.ledger, self.clock)
        self.asked: list[str] = []

    def read(self, record: EvaluationRecord) -> EvaluationReport:
        self.asked.append(record.evidence_digest)
        return self.judged

    def view(self, model: str) -> ModelView:
        found = read_model(self.ledger, model, read=self.read, now=self.clock())
        assert found is not None
        return found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    filled = Filled(tmp_path_factory.mktemp("fleet"))
    yield filled
    filled.ledger.close()


def test_the_evidence_is_that_of_the_version_that_waits(filled: Filled) -> None:
    view = filled.view(WAITING)
    assert filled.asked[-1] == filled.judged.digest()
    assert view.evidence is not None
    assert view.evidence.record.evidence_digest == filled.judged.digest()
    assert view.evidence.numbers is not None
    assert [score.metric for score in view.evidence.numbers.scores] == ["roc_auc", "accuracy", "log_loss"]


def test_a_window_that_asked_for_training_is_told_once(tmp_path: Path) -> None:
    """The ledger keeps the request a second time, under the key of the data that it is about."""
    document = {"operation_key": "its-run", "answer": "retrain", "reasons": ["roc_auc fell"], "signals": []}
    filled = Filled(tmp_path)
    for key in ("its-run", "of-the-data"):
        filled.ledger.record_decision(NEW, operation_key=key, window="2013-08", decision=document)

    assert [found.window for found in filled.view(NEW).windows] == ["2013-08"]
    filled.ledger.close()


def test_every_version_has_the_status_that_the_ledger_gives_it(filled: Filled) -> None:
    lines = filled.view(WAITING).versions
    assert [(line.record.version, line.status) for line in lines] == [
        (3, "waiting"),
        (2, "production"),
        (1, "former"),
    ]


def test_the_evidence_that_waits_is_found_behind_a_hundred_later_evaluations(tmp_path: Path) -> None:
    filled = Filled(tmp_path)
    with filled.ledger as ledger:
        for number in range(101):
            key = f"later/{number}"
            ledger.record_evaluation(evaluation_record(WAITING, filled.clock, digest=key, key=key))
        view = filled.view(WAITING)
    assert view.evidence is not None
    assert view.evidence.record.evidence_digest == filled.judged.digest()


def test_a_request_that_is_given_is_the_one_decided_on(filled: Filled) -> None:
    standing = filled.view(WAITING).standing
    assert standing.request is not None
    other = standing.request.model_copy(update={"version": 2, "evidence_digest": "evidence-2"})
    view = read_model(filled.ledger, WAITING, read=filled.read, now=filled.clock(), request=other)
    assert view is not None
    assert view.standing.request == other
    assert view.evidence is not None
    assert view.evidence.record.evidence_digest == "evidence-2"


def test_a_version_is_rejected_by_the_last_word_about_it_and_former_once_it_was_in_production(
    filled: Filled,
) -> None:
    standing = filled.view(WAITING).standing.model_copy(update={"request": None})

    def status(number: int, *verdicts: Literal["approve", "reject"]) -> str:
        said = [decided_by(number, verdict) for verdict in verdicts]
        (line,) = version_lines(
            [record for record in filled.ledger.versions(WAITING) if record.version == number],
            standing=standing,
            history=filled.ledger.history(WAITING),
            approvals=said,
            retirements=(),
            evaluations=(),
        )
        return line.status

    assert status(3) == status(3, "reject", "approve") == "challenger"
    assert status(3, "reject") == status(3, "approve", "reject") == "rejected"
    assert status(1, "reject") == "former"


def decided_by(version: int, verdict: Literal["approve", "reject"]) -> Approval:
    return Approval(
        model=WAITING,
        version=version,
        generation=0,
        evidence_digest="e",
        verdict=verdict,
        actor="ada",
        reason="so",
        operation_key="k",
        at=Clock()(),
    )


def test_a_version_adopted_by_hand_is_said_to_have_passed_no_gate(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        signed = version_record(1, model=QUIET, signature=Signature(key_id="0123456789abcdef", value="AA=="))
        ledger.record_version(signed, operation_key="r", actor="train")
        ledger.adopt(QUIET, version=1, expected_generation=0, actor="ada", reason="why", operation_key="a")
        assert timeline(ledger.events(QUIET), ())[0].said == "Version 1 adopted past the gates"


def test_the_timeline_is_newest_first_and_holds_refusals_beside_the_ledgers_entries(filled: Filled) -> None:
    moments = filled.view(WAITING).moments
    assert [moment.at for moment in moments] == sorted((moment.at for moment in moments), reverse=True)
    said = [moment.said for moment in moments]
    assert said[0] == "Version 3 registered"
    assert "Candidate logistic was refused by the gates" in said
    assert said.index("Version 2 deployed") < said.index("Version 2 put into production")
    sealed = [moment for moment in moments if moment.hash is not None]
    assert len(sealed) == len(filled.ledger.events(WAITING))


def test_a_roll_back_returns_to_what_lies_beneath_on_the_stack(tmp_path: Path) -> None:
    from fleet_examples import promoted

    clock = Clock()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        for number, beneath in ((1, None), (2, 1), (3, 2)):
            promoted(ledger, clock, number, model=QUIET)
            assert beneath_of(ledger, clock) == beneath
        for beneath in (1, None):
            ledger.roll_back(QUIET, operation_key=f"back/{beneath}", actor="ada", reason="complaints")
            assert beneath_of(ledger, clock) == beneath
        promoted(ledger, clock, 4, model=QUIET)
        assert beneath_of(ledger, clock) == 1


def beneath_of(ledger: Ledger, clock: Clock) -> int | None:
    view = read_model(ledger, QUIET, read=lambda _record: pytest.fail("nothing was judged"), now=clock())
    assert view is not None
    return view.roll_back_to


def test_a_report_that_cannot_be_read_becomes_a_sentence(filled: Filled) -> None:
    def corrupted(_record: EvaluationRecord) -> EvaluationReport:
        raise CorruptedDataError("the report was changed after it was written")

    def broken(_record: EvaluationRecord) -> EvaluationReport:
        raise ZeroDivisionError

    for read, said in ((corrupted, "changed after it was written"), (broken, "ZeroDivisionError")):
        view = read_model(filled.ledger, WAITING, read=read, now=filled.clock())
        assert view is not None
        assert view.evidence is not None
        assert view.evidence.numbers is None
        assert said in view.evidence.problem


def test_a_metric_without_a_value_says_why_and_a_refusal_comes_first(filled: Filled) -> None:
    challenger = filled.judged.challenger.model_copy(
        update={"scores": (), "missing": (MissingScore(metric="roc_auc", reason="one class only"),)}
    )
    refused = filled.judged.verdicts[1].model_copy(update={"passed": False, "value": None})
    verdicts = (filled.judged.verdicts[0], refused)
    numbers = numbers_of(
        filled.judged.model_copy(update={"challenger": challenger, "verdicts": verdicts, "champion": None})
    )
    assert numbers.scores[0].candidate.value == "none: one class only"
    assert numbers.scores[0].champion is None
    assert [gate.passed for gate in numbers.gates] == [False, True]
    assert numbers.gates[0].value == ""


def test_names_come_through_as_they_are_so_that_the_page_escapes_them_once(filled: Filled) -> None:
    numbers = numbers_of(filled.judged)
    assert any(HOSTILE in gate.gate for gate in numbers.gates)


def test_a_model_that_was_never_seen_is_none(filled: Filled) -> None:
    assert read_model(filled.ledger, "unheard", read=filled.read, now=filled.clock()) is None


def test_the_fleet_holds_the_models_asked_for_most_urgent_first(filled: Filled) -> None:
    fleet = read_fleet(filled.ledger, among={WAITING, QUIET, NEW, "unheard"}, now=filled.clock())
    assert [row.name for row in fleet.rows] == [WAITING, NEW, QUIET]
    assert (fleet.in_production, fleet.waiting, fleet.needing) == (2, 1, 1)
    assert [row.name for row in fleet.matching("Vision")] == [QUIET]
    assert [row.name for row in fleet.matching("", only_needing=True)] == [WAITING]
    assert read_fleet(filled.ledger, among={QUIET}, now=filled.clock()).rows[0].name == QUIET


def test_the_read_models_are_light_to_import() -> None:
    code = (
        "import sys, mlops_core.fleet.overview, mlops_core.fleet.view\n"
        "heavy = {'mlflow', 'torch', 'sklearn', 'pandas', 'evidently', 'great_expectations', 'airflow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_improvement_of_the_best_of_several_has_a_confidence_of_its_own(filled: Filled) -> None:
    chosen = Comparison(candidates=3, confidence=1 - 0.05 / 3, resamples=1200)

    assert numbers_of(filled.judged).intervals == "95 % confidence interval"
    assert numbers_of(filled.judged.model_copy(update={"comparison": chosen})).intervals == (
        "95 % confidence interval; below an improvement the 98.3 % interval, corrected for 3 candidates"
    )
