"""Steps after a deployment: score a new month, watch it, carry out what the monitor decided, roll back."""

from mlops_core.cli.demo.outcome import Measured, Outcome
from mlops_core.cli.demo.stage import Stage
from mlops_core.cli.demo.training import follow_training
from mlops_core.errors import StoryError
from mlops_core.monitoring.decision import Answer, RetrainingDecision
from mlops_core.monitoring.report import MonitorReport
from mlops_core.scoring.batch import ScoredPartition

_ROLLBACK_DAG = "mlops__rollback"


def score(stage: Stage, partition: str, *, step: int, title: str) -> Outcome:
    """Follow the batch scoring that the partition's publication has started."""
    run = stage.conductor.expect(stage.dag("score"), partition_key=partition)
    (ended,) = stage.conductor.finish([run])
    scored = ScoredPartition.model_validate(stage.api.xcom(stage.conductor.require_success(ended), "score"))
    return Outcome(
        step=step,
        title=title,
        happened=f"{scored.rows:,} rows, started by the snapshot's event",
        decision="scored",
        version=scored.version.version,
    )


def watch(stage: Stage, partition: str, *, step: int, title: str) -> tuple[Outcome, RetrainingDecision]:
    """Follow the monitor that the predictions have started; return its decision as well."""
    run = stage.conductor.expect(stage.dag("monitor"), partition_key=partition)
    (ended,) = stage.conductor.finish([run])
    stage.conductor.require_success(ended)
    report = MonitorReport.model_validate(stage.api.xcom(ended, "watch"))
    decision = RetrainingDecision.model_validate(stage.api.xcom(ended, "decide"))
    performance = report.performance
    metric = None
    if performance.value is not None:
        metric = Measured(
            name=performance.metric,
            value=performance.value,
            lower=performance.lower,
            upper=performance.upper,
        )
    outcome = Outcome(
        step=step,
        title=title,
        happened=f"{len(report.data_drift.drifted)} of {len(report.data_drift.columns)} features drifted; "
        f"predictions: {report.prediction_drift.verdict}; {'; '.join(decision.reasons)}",
        decision=decision.answer,
        version=report.version,
        metric=metric,
    )
    return outcome, decision


def carry_out(stage: Stage, decision: RetrainingDecision, *, known: frozenset[str], step: int) -> Outcome:
    """Report what the monitor's decision led to: a training by the asset event, or none.

    Parameters
    ----------
    known
        Ids of the training runs that were there before the decision.

    Raises
    ------
    StoryError
        If a training was asked for and none started, or the other way round.
    """
    dag_id = stage.dag("train")
    title = "Carry out the decision"
    if decision.answer is Answer.RETRAIN:
        return follow_training(stage, stage.conductor.expect(dag_id, known=known), step=step, title=title)
    started = [run.run_id for run in stage.api.runs(dag_id) if run.run_id not in known]
    if started:
        raise StoryError(f"the monitor decided to {decision.answer}, yet {dag_id} runs: {', '.join(started)}")
    return Outcome(
        step=step,
        title=title,
        happened="no training was started",
        decision=decision.answer,
        version=stage.version_in_production(),
    )


def roll_back(stage: Stage, *, step: int) -> Outcome:
    """Return to the former version by one trigger, and see the model server answer with it.

    Raises
    ------
    StoryError
        If the rollback fails or the model server answers with another version.
    """
    title = "Roll back"
    current = stage.version_in_production()
    if not stage.can_roll_back():
        return Outcome(
            step=step,
            title=title,
            happened=f"version {current} is the only one that ever was in production: nothing to return to",
            decision="not possible",
            version=current,
        )
    stage.api.set_paused(_ROLLBACK_DAG, paused=False)
    conf = {"model": stage.model, "reason": "the demo shows the way back"}
    (ended,) = stage.conductor.finish([stage.api.trigger(_ROLLBACK_DAG, conf=conf)])
    transition = stage.api.xcom(stage.conductor.require_success(ended), "roll_back")
    answer = stage.ask_model_server()
    if answer.version != transition["version"]:
        raise StoryError(
            f"rolled back to version {transition['version']}, "
            f"but the model server answers with {answer.version}"
        )
    return Outcome(
        step=step,
        title=title,
        happened=f"from version {current} back to {answer.version}; the model server answers with it",
        decision="rolled back",
        version=answer.version,
    )
