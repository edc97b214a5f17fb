"""A train job in a process of its own that kills itself in its n-th fit: `job.json result.json n`."""

import os
import signal
import sys

import tuning_models
from mlops_core.training.__main__ import main

if __name__ == "__main__":
    job, result, number = sys.argv[1:]

    def kill_in_time(**_: object) -> None:
        if len(tuning_models.fitted_rows) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    tuning_models.before_fit = kill_in_time
    sys.exit(main(["--job", job, "--result", result]))
