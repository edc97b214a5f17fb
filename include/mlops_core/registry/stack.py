"""The stack of promotions, read from a history: what a roll back returns to."""

from collections.abc import Collection, Iterable

from mlops_core.registry.records import Transition


def roll_back_target(history: Iterable[Transition], *, retired: Collection[int]) -> int | None:
    """Return the version that a roll back would put into production, if there is one.

    Parameters
    ----------
    history
        The model's transitions, the first one first.
    retired
        Versions that are out of use: a roll back passes them by.
    """
    stack: list[int] = []
    for transition in history:
        if transition.kind != "roll_back":
            stack.append(transition.version)
            continue
        stack.pop()
        while stack and stack[-1] != transition.version:
            stack.pop()
    beneath = (version for version in reversed(stack[:-1]) if version != stack[-1])
    return next((version for version in beneath if version not in retired), None)
