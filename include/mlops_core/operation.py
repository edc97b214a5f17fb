"""Keys that make effects outside the process happen once."""

import hashlib

_LONGEST_KEY = 240


def operation_key(*parts: object) -> str:
    """Name one effect by what caused it, for example a DAG run and a task.

    The same parts give the same key, so a retry searches for the effect and adopts it. Long keys are cut and
    closed with a digest of the whole, to fit an indexed column.
    """
    key = "/".join(str(part) for part in parts)
    if len(key) <= _LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: _LONGEST_KEY - len(digest) - 1]}/{digest}"
