import re

from mlops_core.evaluation.part_pages.replay import section
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.scores import Difference
from mlops_core.evaluation.sections import ChangedRow, ReplaySection
from mlops_core.pages import page
from section_examples import replay, window


def text(document: ReplaySection, report: EvaluationReport) -> str:
    shown = page("title", sections=[section(document, report=report, files={})])
    return " ".join(re.sub(r"<[^>]+>", " ", shown.partition("<body>")[2]).split())


def test_nothing_served_is_said_plainly(report: EvaluationReport) -> None:
    assert "Nothing was ever served, so there is nothing to replay." in text(ReplaySection(), report)


def test_windows_improvements_and_changes_are_shown(report: EvaluationReport) -> None:
    change = Difference(metric="roc_auc", improvement=0.02, lower=-0.01, upper=0.05)
    other = Difference(metric="f1", improvement=0.5, lower=0.4, upper=0.6)
    document = replay(
        window(labelled_rows=90, differences=(change, other), trained_on=True),
        window(partition="2013-02"),
        changes=(ChangedRow(partition="2013-02", key="flight-7", served=0.25, challenger=0.75),),
    )

    words = text(document, report)

    assert "5.00% of all rows disagree." in words
    assert "2013-01 * 3 100 5 (5.00%) 0.0200 90" in words
    assert "2013-02 3 100 5 (5.00%) 0.0200 0" in words
    assert "fitted on windows marked *" in words
    assert "2013-01 roc auc +0.0200 (-0.0100 to +0.0500)" in words
    assert "f1" not in words
    assert "2013-02 flight-7 0.2500 0.7500" in words


def test_keys_are_escaped(report: EvaluationReport) -> None:
    hostile = ChangedRow(partition="2013-01", key="<script>alert(1)</script>", served=0.0, challenger=1.0)

    shown = page("title", sections=[section(replay(window(), changes=(hostile,)), report=report, files={})])

    assert "<script>alert" not in shown
