"""What runs once before Airflow's services: ``python -m mlops_core.cli.stack.prepare``, in a container.

Airflow's tables are made or upgraded, the one user gets the password that was generated, the pool of GPUs
gets its size, and the keys that sign model versions are made if they are not there. Each may
be done again.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mlops_core.atomic import write_atomically
from mlops_core.cli.embedded.credentials import USER
from mlops_core.cli.embedded.services import MIGRATION
from mlops_core.cli.gpu_pool import GPU_SLOTS, gpu_pool
from mlops_core.settings import Settings
from mlops_core.signing.keys import generate_key_pair

_AIRFLOW = MIGRATION[: MIGRATION.index("airflow") + 1]
_PASSWORDS_FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"


def main() -> int:
    """Prepare Airflow and return the exit code."""
    passwords = {USER: os.environ["MLOPS_ADMIN_PASSWORD"]}
    write_atomically(Path(os.environ[_PASSWORDS_FILE]), json.dumps(passwords) + "\n")
    settings = Settings.from_environment()
    generate_key_pair(settings.signing_key, settings.trusted_keys, trust_again=False)
    subprocess.run(MIGRATION, check=True)  # noqa: S603  a constant of this package
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(pools(gpu_slots=int(os.environ[GPU_SLOTS])), file)
        file.flush()
        subprocess.run((*_AIRFLOW, "pools", "import", file.name), check=True)  # noqa: S603  the same
    return 0


def pools(*, gpu_slots: int) -> dict[str, dict[str, object]]:
    """Return Airflow's pools, as ``airflow pools import`` reads them; 0 slots are without a limit."""
    pool = gpu_pool(gpu_slots)
    return {pool.name: pool.model_dump(exclude={"name"})}


if __name__ == "__main__":
    sys.exit(main())
