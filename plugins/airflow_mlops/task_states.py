"""Which states of a task mean that nobody waits for its containers; it depends on who asks.

Airflow's words, as ``str`` gives them; a task that was cleared has none, ``None``, until it is scheduled.
"""

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""For the sweep, which comes at any time: no try follows. A cleared task is none of them, since the try that
follows removes what it finds, or goes on with it where Airflow lost the clearing with the worker."""

LET_GO = ENDED | {"None"}
"""For the trigger of a deferred task, which is cancelled: whoever cleared the task begins from the beginning.
Any other state is one of a task that went on without this trigger."""

SET_BY_PERSONS = frozenset({"failed", "success", "skipped", "restarting", "removed"})
"""For the process of a task that runs: while it lives, Airflow itself sets none of them. ``restarting`` is a
task that was cleared; ``upstream_failed`` is left out, since such a task never began to run."""
