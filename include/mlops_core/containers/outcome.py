"""What the end of a job's containers means."""

import re

from mlops_core.containers.ended import Ended, NodeEnd
from mlops_core.errors import (
    ContainerFailedError,
    ContainerInterruptedError,
    ContainerLostError,
    ContainerOutOfMemoryError,
    ContainerTimeoutError,
    DiskFullError,
)

_DISK_FULL = re.compile(r"No space left on device|\bENOSPC\b|\[Errno 28\]")


def raise_for_end(ended: Ended, *, job_name: str) -> None:
    """Return if every node ended with exit code 0; raise what it means otherwise.

    Raises
    ------
    ContainerTimeoutError
        If the deadline came first.
    ContainerLostError, ContainerInterruptedError, DiskFullError
        If a container was removed, ended while the engine was away, or found no room. Worth a retry.
    ContainerOutOfMemoryError, ContainerFailedError
        If a node needed more than its limit, or its process ended with another exit code. A retry does the
        same.
    """
    if ended.is_success:
        return
    if not ended.nodes:
        raise ContainerLostError(f"{job_name}: no container of it is known; try again to make one")
    if ended.timed_out:
        raise ContainerTimeoutError(
            f"{job_name} did not end in its time; give the task a longer execution_timeout"
            f"{_log(ended.nodes[0])}"
        )
    node = _culprit(ended)
    where = job_name if len(ended.nodes) == 1 else f"{job_name} (node {ended.nodes.index(node)})"
    if node.oom_killed:
        raise ContainerOutOfMemoryError(
            f"{where} was ended for needing more than its memory limit of {node.memory_limit_mb} MB "
            f"(peak seen {_megabytes(node.peak_memory_mb)}); raise memory_mb, or give it less work at a time"
        )
    if node.lost:
        raise ContainerLostError(f"{where} was removed before its end was seen; try again to make it anew")
    if ended.interrupted:
        raise ContainerInterruptedError(
            f"{where} was ended (exit code {node.exit_code}) while the Docker engine or its machine went "
            f"away; try again to make it anew{_log(node)}"
        )
    if _DISK_FULL.search("\n".join((*node.last_lines, node.error))):
        raise DiskFullError(
            f"{where} found no space left (exit code {node.exit_code}); free the engine's disk, or make the "
            f"tmpfs or shm_mb that it fills larger{_log(node)}"
        )
    said = f": {node.error}" if node.error else ""
    raise ContainerFailedError(
        f"{where} ended with exit code {node.exit_code}{said}{_log(node)}", exit_code=node.exit_code
    )


def _culprit(ended: Ended) -> NodeEnd:
    """Return the node that says most: the others often fail only because one did."""
    failed = [node for node in ended.nodes if not node.is_success]
    killed = [node for node in failed if node.oom_killed]
    by_themselves = [node for node in failed if node.exit_code is not None]
    by_themselves.sort(key=lambda node: node.finished_at or "")
    return (killed or by_themselves or failed)[0]


def _megabytes(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.0f} MB"


def _log(node: NodeEnd) -> str:
    if not node.last_lines:
        return "; it wrote nothing"
    return "; its last lines:\n" + "\n".join(node.last_lines)
