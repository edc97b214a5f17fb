import pytest

from mlops_core.evaluation.part_pages.serving import section
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.pages import Badge, Facts
from section_examples import serving, skew


def test_times_sizes_and_the_skew_are_shown_with_their_units(report: EvaluationReport) -> None:
    document = serving(skew=skew(largest_difference=0.0625, differing_labels=2))

    shown = section(document, report=report, files={})

    [facts] = [block for block in shown.blocks if isinstance(block, Facts)]
    assert dict(facts.items) == {
        "Median time of a request": "5 ms",
        "95th percentile": "8 ms",
        "99th percentile": "9 ms",
        "Download, verification and loading": "2 s",
        "Peak memory of the process": "300 MB",
        "Size of the model's files": "2 MB",
        "Input example's rows scored in both processes": 5,
        "Largest difference of a score": "0.0625",
        "Differing labels": 2,
    }


@pytest.mark.parametrize(
    ("answers", "badge"),
    [
        ({}, None),
        ({"latency": True}, Badge("pass", "passed")),
        ({"latency": True, "size": False, "skew": True}, Badge("fail", "refused")),
    ],
)
def test_the_badge_is_that_of_every_gate_of_the_trial(
    report: EvaluationReport, answers: dict[str, bool], badge: Badge | None
) -> None:
    verdicts = tuple(
        report.verdicts[0].model_copy(update={"kind": kind, "passed": passed})
        for kind, passed in answers.items()
    )

    shown = section(serving(), report=report.model_copy(update={"verdicts": verdicts}), files={})

    assert shown.badge == badge
