from mlops_core.evaluation.part_pages.leakage import section
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import FeaturePower
from mlops_core.pages import Image, page
from section_examples import leakage


def test_overlap_and_powers_are_shown(report: EvaluationReport) -> None:
    document = leakage(0.75, 0.25, overlapping_rows=21, overlap=0.021)

    shown = section(document, report=report, files={})

    [picture] = [block for block in shown.blocks if isinstance(block, Image)]
    assert b">x0<" in picture.content
    assert b">0.7500<" in picture.content
    assert "21 of 1,000 held-out rows (2.10%) are a training row too." in page("title", sections=[shown])


def test_of_many_features_the_strongest_are_drawn_and_the_others_counted(report: EvaluationReport) -> None:
    shown = section(leakage(*([0.5] * 40)), report=report, files={})

    [picture] = [block for block in shown.blocks if isinstance(block, Image)]
    assert picture.content.count(b"<rect") == 30
    assert "The 10 weakest are left out." in page("title", sections=[shown])


def test_names_of_features_are_escaped(report: EvaluationReport) -> None:
    hostile = FeaturePower(feature="<script>alert(1)</script>", power=0.5)

    shown = section(leakage(powers=(hostile,)), report=report, files={})

    [picture] = [block for block in shown.blocks if isinstance(block, Image)]
    assert b"<script" not in picture.content
