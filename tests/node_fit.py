"""What every process of a group runs in the tests: fit a small network together, and say what came out."""

import hashlib
import os
import signal
from pathlib import Path

import torch_models
import toy_models
from mlops_core.training.processes import Processes, joined

_MARK = Path("/mlops/work/killed")


def fit_together() -> None:
    """Fit, and print the digest of the weights; one process of node 1 may be asked to die once on the way."""
    processes = Processes.from_environment()
    if os.environ.get("DIES_ONCE") and processes.rank == 1 and not _MARK.exists():
        _MARK.touch()
        print(f"rank {processes.rank} is about to be killed", flush=True)  # noqa: T201
        torch_models.during_forward = lambda: os.kill(os.getpid(), signal.SIGKILL)
    frame = toy_models.load("2013-01").to_pandas().dropna(subset=["positive"])
    with joined(processes):
        network = torch_models.fit_network(
            frame[["amount", "colour", "count", "member"]], frame["positive"], seed=1
        )
    weights = b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())
    print(f"weights of rank {processes.rank}: {hashlib.sha256(weights).hexdigest()}")  # noqa: T201


if __name__ == "__main__":
    fit_together()
