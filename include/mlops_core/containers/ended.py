"""How containers ended: a document, so that it can be a trigger's event."""

from mlops_core.document import Document

LAST_LINES = 20


class NodeEnd(Document):
    """How one node ended.

    Parameters
    ----------
    exit_code
        None while it runs, and for a container that is gone.
    peak_memory_mb
        The highest seen; the limit itself where the limit ended it; None if there was no time to look.
    cpu_seconds
        As of the last look, and so a lower bound; None if there was no time to look.
    started_at, finished_at
        As the engine writes them, RFC 3339; None where there is none.
    lost
        The container is gone.
    """

    id: str
    exit_code: int | None = None
    oom_killed: bool = False
    memory_limit_mb: int | None = None
    peak_memory_mb: float | None = None
    cpu_seconds: float | None = None
    started_at: str | None = None
    finished_at: str | None = None
    last_lines: tuple[str, ...] = ()
    error: str = ""
    lost: bool = False

    @property
    def is_success(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.exit_code == 0


class Ended(Document):
    """How the containers of one job ended.

    Parameters
    ----------
    interrupted
        A node was ended from outside, as by an engine or a machine that stops.
    timed_out
        The deadline came first; nothing was stopped or removed.
    """

    nodes: tuple[NodeEnd, ...]
    interrupted: bool = False
    timed_out: bool = False

    @property
    def is_success(self) -> bool:
        """Whether every node ended with exit code 0."""
        return bool(self.nodes) and not self.timed_out and all(node.is_success for node in self.nodes)

    @property
    def lost(self) -> bool:
        """Whether a container was removed before its end was seen."""
        return any(node.lost for node in self.nodes)

    def usage(self) -> dict[str, float]:
        """Return what was measured: CPU seconds of all nodes, peak memory of the largest."""
        seconds = [node.cpu_seconds for node in self.nodes if node.cpu_seconds is not None]
        peaks = [node.peak_memory_mb for node in self.nodes if node.peak_memory_mb is not None]
        return {
            **({"cpu_seconds": sum(seconds)} if seconds else {}),
            **({"peak_memory_mb": max(peaks)} if peaks else {}),
        }
