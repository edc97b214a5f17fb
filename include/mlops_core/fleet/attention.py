"""What of a model needs a person, most urgent first."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, get_args

from mlops_core.document import Document
from mlops_core.fleet.drift import drift_of
from mlops_core.registry.standing import Standing

Severity = Literal["act", "look", "know"]
"""A decision waits for a person; something went otherwise than wished; good to know."""

CHAMPION_GROWS_OLD = timedelta(days=180)


class Attention(Document):
    """One short sentence, and how much it matters."""

    severity: Severity
    message: str

    @property
    def urgency(self) -> int:
        """Its place in the order: 0 is most urgent."""
        return get_args(Severity).index(self.severity)


def attention_of(standing: Standing, *, now: datetime) -> tuple[Attention, ...]:
    """Return what needs attention, most urgent first."""
    found = [*_approval(standing), *_production(standing, now=now), *_judgement(standing)]
    return tuple(sorted(found, key=lambda attention: attention.urgency))


def _approval(standing: Standing) -> Iterator[Attention]:
    request = standing.request
    if request is not None:
        # The ledger does not see that a task ends without an answer that counts.
        yield Attention(
            severity="act",
            message=f"Version {request.version} waits for approval until {request.expires_at:%Y-%m-%d %H:%M} "
            f"UTC; if the task {request.task_id} of {request.dag_id} has ended, clear it to ask again",
        )


def _production(standing: Standing, *, now: datetime) -> Iterator[Attention]:
    champion, deployment = standing.state.champion, standing.deployment
    if champion is None:
        if standing.request is None:
            yield Attention(severity="know", message="Nothing is in production yet")
        return
    if deployment is None:
        yield Attention(severity="act", message=f"Version {champion.version} is in production, not deployed")
    elif deployment.version.digest != champion.digest:
        served = deployment.version.version
        yield Attention(
            severity="act",
            message=f"Version {served} is served, version {champion.version} is in production",
        )
    if standing.since is not None and now - standing.since.at > CHAMPION_GROWS_OLD:
        days = (now - standing.since.at).days
        yield Attention(severity="know", message=f"Version {champion.version} is {days} days in production")


def _judgement(standing: Standing) -> Iterator[Attention]:
    evaluation, drift = standing.evaluation, drift_of(standing.decision)
    if evaluation is not None and not evaluation.passed:
        yield Attention(severity="look", message=f"The gates refused candidate {evaluation.candidate}")
    if drift is None:
        return
    if drift.problem:
        yield Attention(severity="look", message=drift.problem)
    training = standing.training
    if drift.answer == "retrain" and (training is None or training.at < drift.at):
        yield Attention(
            severity="act", message=f"Retraining was asked for after {drift.window}, and none has started"
        )
    elif drift.signals:
        yield Attention(severity="look", message=f"{drift.said} in {drift.window}")
