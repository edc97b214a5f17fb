"""Whether the task that asked for an approval still waits for an answer, by Airflow's word.

The ledger's request stays open when an answer was void, when the task was ended by hand, or when it has to be
cleared; an answer to such a task would reach nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlops_core.registry.records import ApprovalRequest

_PARKED = frozenset({"awaiting_input", "deferred"})
_ENDED = frozenset({"failed", "upstream_failed", "skipped", "removed"})


@dataclass(frozen=True)
class Question:
    """What became of a question, in words where it cannot be answered."""

    state: Literal["waits", "answered", "between", "over", "unknown"]
    words: str = ""

    @property
    def waits(self) -> bool:
        """Whether somebody may answer."""
        return self.state == "waits"


UNSEEN = Question("unknown", "The question came up while this page was made: look again.")


def question_of(detail: Mapping[str, Any], *, asked: ApprovalRequest) -> Question:
    """Read Airflow's detail of the task that asked."""
    task = detail.get("task_instance") or {}
    state, answered = task.get("state"), bool(detail.get("response_received"))
    if state in _ENDED:
        return over(asked, found=f"is {str(state).replace('_', ' ')}")
    if answered or state == "success":
        return Question("answered", "The task takes the answer to the ledger.")
    if _evidence(detail) != asked.evidence_digest:
        return over(asked, found="asks about other evidence by now")
    if state in _PARKED:
        return Question("waits")
    return Question("between", "The task does not wait yet: look again.")


def over(asked: ApprovalRequest, *, found: str) -> Question:
    """Say that the task does not wait, and how to have it ask again."""
    task = f"{asked.task_id} of {asked.dag_id}, run {asked.run_id},"
    return Question(
        "over",
        f"Nothing waits for an answer: the task {task} {found}. Clear the task to ask again, or look again"
        " if that was done just now.",
    )


def _evidence(detail: Mapping[str, Any]) -> object:
    """Return what the form in Airflow names as the subject."""
    field = (detail.get("params") or {}).get("evidence")
    return field.get("value") if isinstance(field, Mapping) else field
