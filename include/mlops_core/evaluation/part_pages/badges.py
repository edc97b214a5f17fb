"""What the gates of a part decided, as a badge beside its heading."""

from mlops_core.evaluation.report import EvaluationReport
from mlops_core.pages import Badge


def badge_of(report: EvaluationReport, *, kind: str) -> Badge | None:
    """Return whether all gates of a kind passed; None where none was declared."""
    answers = [verdict.passed for verdict in report.verdicts if verdict.kind == kind]
    if not answers:
        return None
    return Badge("pass", "passed") if all(answers) else Badge("fail", "refused")
