"""The hash chain of a model's events: each hash covers its event and the hash before it.

The format is fixed for good: existing ledgers were sealed with it.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime


def genesis(model: str) -> str:
    """Return the hash that a model's first event follows."""
    return hashlib.sha256(f"airflow-mlops ledger v1\n{model}".encode()).hexdigest()


def seal(content: Mapping[str, object]) -> str:
    """Return the hash of an event: SHA-256 over the canonical JSON of all its fields but ``hash``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_instant)
    return hashlib.sha256(text.encode()).hexdigest()


def registered_as(*, run_id: str, uri: str) -> str:
    """Say in an event what a registration recorded beyond the event's own fields."""
    return f"{uri} of run {run_id}"


def deployed_as(*, share: float, revision: int) -> str:
    """Say in an event what a deployment recorded beyond the event's own fields."""
    return f"revision {revision} with {share:.12g} of the traffic"


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"an event holds text, numbers and instants; got {value!r}")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
