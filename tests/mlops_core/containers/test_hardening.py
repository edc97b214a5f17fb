"""What a container looks like from inside: run on a real engine."""

import json
from collections.abc import Callable

import pytest

from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.follow import Ended
from mlops_core.containers.specification import ContainerJob

pytestmark = pytest.mark.integration

MakeJob = Callable[..., ContainerJob]
RunJob = Callable[[ContainerJob], Ended]

_LOOK = """
import json, os, pathlib
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def writable(folder):
    try:
        pathlib.Path(folder, "probe").write_text("x")
    except OSError as error:
        return str(error)
    return True
def limit(*paths):
    return next((open(path).read().strip() for path in paths if os.path.exists(path)), None)
json.dump({
    "capabilities": [status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")],
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "root": writable("/"), "tmp": writable("/tmp"), "work": writable("/mlops/work"),
    "files": writable("/mlops"), "checkpoints": writable(os.environ["MLOPS_CHECKPOINTS"]),
    "networks": sorted(os.listdir("/sys/class/net")),
    "init": open("/proc/1/comm").read().strip(),
    "pids": limit("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"),
    "memory": limit("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"),
}, open("/mlops/work/seen.json", "w"))
"""


@pytest.fixture
def look(engine: ContainerEngine, make_job: MakeJob, run_job: RunJob) -> Callable[..., dict[str, object]]:
    def look(**spec: object) -> dict[str, object]:
        job = make_job(_LOOK, spec=spec, result="seen.json")
        ended = run_job(job)
        assert ended.is_success, ended
        content = engine.result(job)
        assert content is not None
        seen: dict[str, object] = json.loads(content)
        return seen

    return look


def test_default_container_has_no_capabilities_no_way_to_get_any_and_is_not_root(
    look: Callable[..., dict[str, object]],
) -> None:
    seen = look()

    assert seen["capabilities"] == ["0" * 16] * 5
    assert (seen["no_new_privileges"], seen["seccomp"]) == ("1", "2")
    assert (seen["uid"], seen["gid"], seen["groups"]) == (65532, 65532, [65532])


def test_default_container_writes_only_to_its_own_files_and_to_memory(
    look: Callable[..., dict[str, object]],
) -> None:
    seen = look()

    assert "Read-only file system" in str(seen["root"])
    assert "Permission denied" in str(seen["files"])
    assert (seen["tmp"], seen["work"], seen["checkpoints"]) == (True, True, True)


def test_default_container_reaches_no_network_and_is_limited(look: Callable[..., dict[str, object]]) -> None:
    seen = look(pids_limit=77, memory_mb=128)

    assert "eth0" not in str(seen["networks"])
    assert "lo" in seen["networks"]  # type: ignore[operator]
    assert seen["pids"] == "77"
    assert seen["memory"] == str(128 * 1024 * 1024)
    assert seen["init"] == "docker-init"


def test_what_a_specification_loosens_is_loosened_and_nothing_else(
    look: Callable[..., dict[str, object]],
) -> None:
    seen = look(user="0", root_allowed=True, capabilities=("NET_BIND_SERVICE",), read_only_root=False)

    bounding = f"{1 << 10:016x}"
    assert seen["capabilities"][3] == bounding  # type: ignore[index]
    assert (seen["uid"], seen["root"], seen["no_new_privileges"]) == (0, True, "1")
