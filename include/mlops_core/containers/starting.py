"""What to do about containers that are already there when a job is to start. Pure: asks no engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any

from mlops_core.containers.labels import DIGEST
from mlops_core.containers.specification import ContainerJob

CREATION_SECONDS = 10.0
"""How long a process may take from creating containers to starting them before it is taken for dead."""


class Verdict(Enum):
    """What the containers found call for."""

    CREATE = auto()
    ADOPT = auto()
    FINISHED = auto()
    REPLACE = auto()
    COMPLETE = auto()
    WAIT = auto()


def judge(job: ContainerJob, found: Sequence[Mapping[str, Any] | None], *, now: datetime) -> Verdict:
    """Say what to do.

    Parameters
    ----------
    found
        What the engine says about each node, in order; None where there is no container.
    now
        The engine's own time.

    Returns
    -------
    ``COMPLETE`` where containers were created and not all of them started by a process that is no more;
    ``WAIT`` where it may still be at it, or the engine is removing one of them.
    """
    present = [container for container in found if container is not None]
    if found[0] is None:
        # Node 0 is created first and removed last: without it, the others belong to nobody.
        return Verdict.REPLACE if present else Verdict.CREATE
    states = [container["State"]["Status"] for container in present]
    if "removing" in states:
        return Verdict.WAIT
    if any(container["Config"]["Labels"].get(DIGEST) != job.digest() for container in present):
        return Verdict.REPLACE
    if any(_has_failed(container) for container in present):
        return Verdict.REPLACE
    if len(present) < len(found) or "created" in states:
        age = now - read_time(present[0]["Created"])
        return Verdict.WAIT if age.total_seconds() < CREATION_SECONDS else Verdict.COMPLETE
    return Verdict.FINISHED if all(state == "exited" for state in states) else Verdict.ADOPT


def read_time(written: str) -> datetime:
    """Read an engine's time; nanoseconds are cut to microseconds."""
    return datetime.fromisoformat(written)


def _has_failed(container: Mapping[str, Any]) -> bool:
    state = container["State"]
    return bool(state["Status"] == "dead" or (state["Status"] == "exited" and state["ExitCode"] != 0))
