import json
import math

import pytest
from pydantic import ValidationError

from mlops_core.evaluation.report import EvaluationReport, Score


def test_a_report_comes_back_from_json_with_the_same_digest(report: EvaluationReport) -> None:
    again = EvaluationReport.model_validate(json.loads(json.dumps(report.model_dump(mode="json"))))

    assert again == report
    assert again.digest() == report.digest()


def test_the_digest_changes_with_any_number(report: EvaluationReport) -> None:
    changed = report.model_copy(update={"holdout_rows": report.holdout_rows + 1})

    assert changed.digest() != report.digest()


def test_the_canonical_json_does_not_depend_on_the_order_of_fields(report: EvaluationReport) -> None:
    fields = dict(reversed(report.model_dump(mode="json").items()))

    assert EvaluationReport.model_validate(fields).canonical_json() == report.canonical_json()


def test_a_report_without_verdicts_has_not_passed(report: EvaluationReport) -> None:
    assert report.passed
    assert not report.model_copy(update={"verdicts": ()}).passed


def test_a_report_with_one_refusal_has_not_passed(report: EvaluationReport) -> None:
    refused = report.verdicts[0].model_copy(update={"passed": False})

    assert not report.model_copy(update={"verdicts": (*report.verdicts, refused)}).passed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_is_a_finite_number(value: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Score(metric="roc_auc", value=value, lower=0, upper=1)


def test_a_report_of_a_later_version_is_not_half_read(report: EvaluationReport) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        EvaluationReport.model_validate({**report.model_dump(), "fairness": 1})
