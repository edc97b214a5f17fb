"""Whether what was seen of a play is what must come of it."""

from faults.plays import Play, Seen
from faults.work import LINES


def problems(play: Play, seen: Seen) -> tuple[str, ...]:
    """Return what is wrong, in words; nothing if all is well."""
    return (*_state_problems(play, seen), *_engine_problems(play, seen), *_log_problems(play, seen))


def _state_problems(play: Play, seen: Seen) -> list[str]:
    found = []
    wanted = "success" if play.scenario.succeeds else "failed"
    if seen.state != wanted:
        found.append(f"the task ended as {seen.state}, not {wanted}")
    if play.scenario.succeeds and not _is_result(seen.result):
        found.append(f"the result is {seen.result!r}")
    if not play.scenario.succeeds and seen.result is not None:
        found.append(f"a failed task left the result {seen.result!r}")
    return found


def _engine_problems(play: Play, seen: Seen) -> list[str]:
    found = []
    if seen.most_alive > 1:
        found.append(f"{seen.most_alive} containers lived at once")
    if seen.runs != (runs := play.scenario.runs):
        found.append(f"run {seen.runs} times, not {runs}")
    if seen.containers_left or seen.volumes_left:
        found.append(f"left {', '.join((*seen.containers_left, *seen.volumes_left))}")
    return found


def _log_problems(play: Play, seen: Seen) -> list[str]:
    found = []
    if seen.runs and seen.checkpoints != (checkpoints := play.scenario.checkpoints):
        found.append(f"the last run found {seen.checkpoints} checkpoints, not {checkpoints}")
    if seen.missing:
        found.append(f"{seen.missing} of {LINES} lines are missing in the log")
    if (bound := play.scenario.shown_again) is not None and seen.repeated > bound:
        found.append(f"{seen.repeated} lines are shown again in the log, more than {bound}")
    error = play.scenario.error_class(play.mode)
    if error is not None and error not in seen.errors:
        found.append(f"the log names {', '.join(seen.errors) or 'no error'}, not {error}")
    return found


def _is_result(result: object) -> bool:
    return isinstance(result, dict) and result.get("lines") == LINES and len(str(result.get("run"))) == 16
