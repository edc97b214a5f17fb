"""Steps that train: the first champion, a retraining by the policy, a retraining by a person.

A version of the demo's model needs a person's approval; the demo gives it through the API.
"""

from mlops_core.cli.airflow_api import DagRun
from mlops_core.cli.demo import approval
from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.stage import Stage, measured
from mlops_core.errors import StoryError
from mlops_core.evaluation.report import EvaluationReport

PROMOTED = "promoted"
REFUSED = "refused"


def train(stage: Stage, *, step: int, title: str, reason: str) -> Outcome:
    """Ask for a training through the API and report how it ended."""
    run = stage.api.trigger(stage.dag("train"), conf={"reason": reason})
    return follow_training(stage, run, step=step, title=title)


def follow_training(stage: Stage, run: DagRun, *, step: int, title: str) -> Outcome:
    """Approve what a training run asks for, and report how it ended.

    A gate that says no is a decision, not a failure.

    Raises
    ------
    StoryError
        If a task failed that is not the gate, or what was promoted is not what the model server answers with.
    """
    approved = approval.approve_all(stage, run)
    (ended,) = stage.conductor.finish([run])
    if [task.task_id for task in stage.conductor.failed_tasks(ended)] == ["gate"]:
        return _refused(stage, ended, step=step, title=title)
    stage.conductor.require_success(ended)
    report = stage.report(ended)
    version = int(stage.api.xcom(ended, "register")["version"])
    answer = stage.ask_model_server()
    if answer.version != version:
        raise StoryError(
            f"version {version} was promoted, but the model server answers with {answer.version}"
        )
    return Outcome(
        step=step,
        title=title,
        happened=f"{_comparison(report)}; {'approved; ' if approved else ''}the model server answers with it",
        decision=PROMOTED,
        version=version,
        metric=measured(report.challenger.score(report.primary_metric)),
    )


def _refused(stage: Stage, run: DagRun, *, step: int, title: str) -> Outcome:
    report = stage.report(run)
    if report.passed:
        raise StoryError(f"the gate failed a challenger whose report says that it passed (run {run.run_id})")
    answer = stage.ask_model_server()
    champion = stage.version_in_production()
    if answer.version != champion:
        raise StoryError(
            f"the challenger was refused, yet the model server answers with version {answer.version}, "
            f"not {champion}"
        )
    reasons = "; ".join(verdict.reason for verdict in report.verdicts if not verdict.passed)
    return Outcome(
        step=step,
        title=title,
        happened=f"{_comparison(report)}; {reasons}; version {champion} stays",
        decision=REFUSED,
        version=champion,
        metric=measured(report.challenger.score(report.primary_metric)),
    )


def _comparison(report: EvaluationReport) -> str:
    """Say who met whom, on which rows, with which numbers."""
    rows = f"{report.holdout_rows:,} held-out rows of {', '.join(report.split.holdout_partitions)}"
    candidates = 1 + len(report.others)
    challenger = report.challenger.candidate
    if report.champion is None:
        return f"cold start, no champion to meet: {challenger}, best of {candidates} candidates, on {rows}"
    champion = report.champion.score(report.primary_metric)
    against = f"champion version {report.champion.version}"
    if champion is not None:
        against += f" ({champion.value:.4f})"
    line = f"{challenger} met {against} on the same {rows}"
    for difference in report.differences:
        if difference.metric == report.primary_metric:
            interval = f"[{difference.lower:+.4f}, {difference.upper:+.4f}]"
            line += f", improvement {difference.improvement:+.4f} {interval}"
    return line
