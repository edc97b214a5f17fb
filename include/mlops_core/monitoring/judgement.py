"""What the retraining policy answers in which circumstances. Nothing here reads or records anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_core.monitoring.decision import Answer, RetrainingDecision
from mlops_core.monitoring.report import MonitorReport, Signal
from mlops_core.pipeline import RetrainingPolicy
from mlops_core.registry.records import TrainingRecord, VersionRecord


@dataclass(frozen=True, kw_only=True)
class PastDecision:
    """A decision, and when the ledger took it down."""

    decision: RetrainingDecision
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Everything beside the report that the policy looks at.

    Parameters
    ----------
    champion
        The version in production.
    snapshot_digest, partitions
        Of the snapshot that a training would use now.
    trainings
        Attempted, the newest first.
    decisions
        Of other windows and runs, the newest first.
    now
        With its time zone.
    """

    champion: VersionRecord | None
    snapshot_digest: str
    partitions: tuple[str, ...]
    trainings: tuple[TrainingRecord, ...]
    decisions: tuple[PastDecision, ...]
    now: datetime


def judge(
    policy: RetrainingPolicy, *, report: MonitorReport, circumstances: Circumstances
) -> tuple[Answer, tuple[str, ...]]:
    """Return the policy's answer and its reasons; nothing is read or recorded.

    Refusals come before reasons to wait, because waiting will not help against them.
    """
    heard = sorted(report.signals & policy.on)
    if not heard:
        return Answer.WAIT, (_why_nothing(report, policy),)
    found = tuple(_found(report, signal) for signal in heard)
    refusals = _refusals(report, circumstances)
    if refusals:
        return Answer.REFUSE, (*found, *refusals)
    obstacles = _obstacles(report, policy, circumstances)
    if obstacles:
        return Answer.WAIT, (*found, *obstacles)
    return Answer.RETRAIN, found


def _why_nothing(report: MonitorReport, policy: RetrainingPolicy) -> str:
    heard = ", ".join(sorted(policy.on)) or "nothing"
    if report.signals:
        found = ", ".join(sorted(report.signals))
        return f"{found} was found in window {report.partition}; the policy retrains on {heard}"
    verdicts = (
        f"data: {report.data_drift.verdict}",
        f"predictions: {report.prediction_drift.verdict}",
        f"performance: {report.performance.verdict}",
    )
    return f"nothing to act on in window {report.partition} ({'; '.join(verdicts)})"


def _found(report: MonitorReport, signal: Signal) -> str:
    reasons = {
        "data_drift": f"data drift: {report.data_drift.reason}",
        "prediction_drift": f"prediction drift: {report.prediction_drift.reason}",
        "performance": f"performance: {report.performance.reason}",
    }
    return reasons[signal]


def _refusals(report: MonitorReport, circumstances: Circumstances) -> list[str]:
    reasons = []
    champion, digest = circumstances.champion, circumstances.snapshot_digest
    if champion is None:
        reasons.append(f"version {report.version} scored the window, and no version is in production now")
    elif champion.digest != report.model_digest:
        reasons.append(
            f"version {report.version} scored the window, and version {champion.version} is in production now"
        )
    trained = next((one for one in circumstances.trainings if one.snapshot_digest == digest), None)
    if trained is not None:
        reasons.append(
            f"a training on the same data was attempted at {_moment(trained.at)}, and its answer would be the"
            " same: publish new data, or train by hand"
        )
    requests = (one.decision for one in circumstances.decisions if one.decision.answer is Answer.RETRAIN)
    requested = next((one for one in requests if one.snapshot_digest == digest), None)
    if requested is not None:
        reasons.append(requested_already(requested))
    return reasons


def requested_already(request: RetrainingDecision) -> str:
    """Say which request about the same data came first."""
    return (
        f"a training on the same data was requested at {_moment(request.decided_at)} after window"
        f" {request.window}"
    )


def _obstacles(report: MonitorReport, policy: RetrainingPolicy, circumstances: Circumstances) -> list[str]:
    reasons = []
    windows = 1 + _earlier_windows(report, policy, circumstances.decisions)
    if windows < policy.persistence_windows:
        reasons.append(
            f"found in {windows} windows in a row; the policy asks for {policy.persistence_windows}"
        )
    if circumstances.trainings:
        reasons.extend(_cooldowns(circumstances.trainings[0], policy, circumstances))
    request = _open_request(policy, circumstances)
    if request is not None:
        expiry = request.at + timedelta(hours=policy.request_expires_hours)
        reasons.append(
            f"the request of {_moment(request.at)} after window {request.decision.window} is open until a"
            f" training answers it, or until {_moment(expiry)}"
        )
    return reasons


def _cooldowns(last: TrainingRecord, policy: RetrainingPolicy, circumstances: Circumstances) -> list[str]:
    reasons = []
    new = len(set(circumstances.partitions) - set(last.partitions))
    if new < policy.cooldown_partitions:
        reasons.append(
            f"{new} new partitions since the training of {_moment(last.at)}; the cooldown is"
            f" {policy.cooldown_partitions}"
        )
    cooldown = timedelta(hours=policy.cooldown_hours)
    # A run may have been due before the last training began: then no time has passed.
    if max(circumstances.now - last.at, timedelta()) < cooldown:
        reasons.append(
            f"the last training was at {_moment(last.at)}; the cooldown of {policy.cooldown_hours:g} hours"
            f" ends at {_moment(last.at + cooldown)}"
        )
    return reasons


def _earlier_windows(
    report: MonitorReport, policy: RetrainingPolicy, decisions: Sequence[PastDecision]
) -> int:
    """Count the windows directly before this one in which the same version showed a signal."""
    latest: dict[str, RetrainingDecision] = {}
    for past in decisions:
        if past.decision.window < report.partition:
            latest.setdefault(past.decision.window, past.decision)
    count = 0
    for window in sorted(latest, reverse=True):
        decision = latest[window]
        if decision.model_digest != report.model_digest or not policy.on.intersection(decision.signals):
            break
        count += 1
    return count


def _open_request(policy: RetrainingPolicy, circumstances: Circumstances) -> PastDecision | None:
    """Return the newest request if no training came after it and it has not expired."""
    requests = (past for past in circumstances.decisions if past.decision.answer is Answer.RETRAIN)
    newest = next(requests, None)
    if newest is None or any(training.at >= newest.at for training in circumstances.trainings):
        return None
    expires = newest.at + timedelta(hours=policy.request_expires_hours)
    return newest if circumstances.now < expires else None


def _moment(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
