"""What was declared and how it was judged, remembered once a key and its evidence."""

from typing import Any

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import EvaluationRecord, PipelineRecord
from registry_examples import MODEL, Clock


def evaluation(clock: Clock, key: str, **changes: Any) -> EvaluationRecord:
    fields = {
        "model": MODEL,
        "run_id": "run-1",
        "evidence_digest": f"evidence-{key}",
        "rows_digest": "rows-1",
        "candidate": "boosted_trees",
        "passed": True,
        "page": "evaluation/1.html",
        "dag_id": f"{MODEL}__train",
        "operation_key": key,
        "at": clock.now,
    }
    return EvaluationRecord.model_validate({**fields, **changes})


def pipeline(clock: Clock, **changes: Any) -> PipelineRecord:
    fields = {"name": MODEL, "owner": "ada", "risk": "low", "reference": "a:B", "at": clock.now}
    return PipelineRecord.model_validate({**fields, **changes})


def test_evaluations_are_told_newest_first_and_refused_ones_too(ledger: Ledger, clock: Clock) -> None:
    first = ledger.record_evaluation(evaluation(clock, "1"))
    second = ledger.record_evaluation(evaluation(clock, "2", passed=False))
    ledger.record_evaluation(evaluation(clock, "3", model="fares"))

    assert ledger.evaluations(MODEL) == (second, first)
    assert ledger.evaluations(MODEL, limit=1) == (second,)


def test_an_evaluation_is_recorded_once_a_key(ledger: Ledger, clock: Clock) -> None:
    first = ledger.record_evaluation(evaluation(clock, "1"))
    clock.forward(hours=1)

    assert ledger.record_evaluation(evaluation(clock, "1")) == first
    with pytest.raises(DeclarationError, match=f"evaluated '{MODEL}'; it cannot evaluate 'fares'"):
        ledger.record_evaluation(evaluation(clock, "1", model="fares"))
    assert ledger.evaluations(MODEL) == (first,)


def test_a_task_that_judges_again_on_other_evidence_hides_nothing_and_has_not_used_the_rows_before(
    ledger: Ledger, clock: Clock
) -> None:
    refused = ledger.record_evaluation(evaluation(clock, "1", passed=False))
    again = ledger.record_evaluation(evaluation(clock, "1", evidence_digest="judged again"))

    assert ledger.evaluations(MODEL) == (again, refused)
    assert ledger.holdout_uses(MODEL, rows_digest="rows-1", operation_key="1") == 0


def test_only_other_evaluations_on_the_same_rows_of_the_same_model_use_up_the_holdout(
    ledger: Ledger, clock: Clock
) -> None:
    for key in ("1", "2", "3"):
        ledger.record_evaluation(evaluation(clock, key))
    ledger.record_evaluation(evaluation(clock, "4", rows_digest="rows-2"))
    ledger.record_evaluation(evaluation(clock, "5", model="fares"))

    def uses(key: str, rows: str = "rows-1") -> int:
        return ledger.holdout_uses(MODEL, rows_digest=rows, operation_key=key)

    assert (uses("new"), uses("1"), uses("4"), uses("4", "rows-2"), uses("new", "rows-3")) == (3, 2, 3, 0, 0)


def test_the_latest_declaration_of_a_pipeline_holds(ledger: Ledger, clock: Clock) -> None:
    ledger.record_pipeline(pipeline(clock))
    clock.forward(days=1)
    latest = ledger.record_pipeline(pipeline(clock, owner="grace", risk="high"))
    digits = ledger.record_pipeline(pipeline(clock, name="digits"))

    assert ledger.pipelines() == (digits, latest)
    assert ledger.pipeline(MODEL) == latest
    assert ledger.pipeline("unheard_of") is None
