"""One report, of a model whose one gate passed."""

import pytest

from evaluation_examples import RECORD
from mlops_core.evaluation.report import EvaluationReport
from registry_examples import passed_report


@pytest.fixture
def report() -> EvaluationReport:
    return passed_report(RECORD)
