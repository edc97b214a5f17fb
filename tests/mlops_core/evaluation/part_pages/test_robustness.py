from mlops_core.evaluation.part_pages.robustness import section
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.scores import MissingScore
from mlops_core.pages import Image, Table, page
from section_examples import perturbed, robustness


def test_losses_of_the_primary_and_of_judged_metrics_are_shown_signed(report: EvaluationReport) -> None:
    judged = report.verdicts[0].model_copy(update={"kind": "robustness", "metric": "f1"})
    document = robustness(
        perturbed(0.0123), perturbed(-0.5, metric="f1"), perturbed(0.4, metric="accuracy"), rows=1234
    )

    shown = section(document, report=report.model_copy(update={"verdicts": (judged,)}), files={})

    [table] = [block for block in shown.blocks if isinstance(block, Table)]
    assert [tuple(row) for row in table.rows] == [
        ("noise", "roc auc", "0.7000", "+0.0123"),
        ("noise", "f1", "0.7000", "-0.5000"),
    ]
    assert "1,234 held-out rows" in page("title", sections=[shown])


def test_what_could_not_be_scored_says_why(report: EvaluationReport) -> None:
    missing = MissingScore(metric="roc_auc under shift", reason="it cannot score the rows")

    shown = page("title", sections=[section(robustness(missing=(missing,)), report=report, files={})])

    assert "roc_auc under shift" in shown
    assert "it cannot score the rows" in shown


def test_names_of_columns_are_escaped(report: EvaluationReport) -> None:
    document = robustness(perturbed(0.1, name="<script>alert(1)</script> absent"))

    shown = section(document, report=report, files={})

    [picture] = [block for block in shown.blocks if isinstance(block, Image)]
    assert b"<script" not in picture.content
    assert "<script>alert" not in page("title", sections=[shown])
