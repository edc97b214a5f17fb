"""What a container has used, from the engine's samples."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

_MEBIBYTE = 1024 * 1024


class Usage(NamedTuple):
    """The highest seen so far; None while nothing was seen."""

    peak_memory_mb: float | None = None
    cpu_seconds: float | None = None

    def with_sample(self, sample: Mapping[str, Any]) -> Self:
        """Return the usage with one answer of the engine's ``stats``; that of an ended container is empty."""
        memory = sample.get("memory_stats") or {}
        # Control groups of version 1 remember their peak themselves; of version 2, a sample is all there is.
        used = max(memory.get("max_usage") or 0, memory.get("usage") or 0)
        spent = ((sample.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage") or 0
        return self._replace(
            peak_memory_mb=_highest(self.peak_memory_mb, used / _MEBIBYTE),
            cpu_seconds=_highest(self.cpu_seconds, spent / 1e9),
        )


def _highest(known: float | None, seen: float) -> float | None:
    if not seen:
        return known
    return seen if known is None else max(known, seen)
