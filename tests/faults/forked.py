"""Work in forked processes: this one has imported everything and opened nothing, so each starts at once."""

import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from typing import Any

Act = Callable[[], Any]


def perform(act: Act) -> Any:
    """Return what the work returns in a process of its own; it must fit JSON."""
    pid, reader = _fork(act)
    with os.fdopen(reader, "rb") as answers:
        answer = answers.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(
            f"the process ended with {os.waitstatus_to_exitcode(status)}; its trace stands above"
        )
    return json.loads(answer)


def kill_after(act: Act, *, seconds: float) -> bool:
    """Kill the work with SIGKILL at that moment; return False if it had come to its end before."""
    pid, reader = _fork(act)
    ended, _, _ = select.select([reader], [], [], seconds)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(reader)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"the process ended with {code}; its trace stands above")
    return code != 0


def _fork(act: Act) -> tuple[int, int]:
    """Return the process and what its answer is read from, as soon as it has begun."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        os.read(reader, 1)
        return pid, reader
    code = 1
    try:
        os.close(reader)
        os.write(writer, b" ")
        os.write(writer, json.dumps(act()).encode())
        code = 0
    except BaseException:  # noqa: BLE001  whatever it is, it shall be seen
        traceback.print_exc()
    finally:
        os._exit(code)
