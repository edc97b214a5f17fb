"""Where a command finds the services that it uses."""

import os

from mlops_core.cli.embedded.ports import Ports
from mlops_core.settings import Settings


def tracking_uri_of(settings: Settings) -> str:
    """Return the address of the MLflow server that a command uses."""
    # Beside the embedded platform its port is all that is set.
    return (
        settings.tracking_uri if "MLOPS_TRACKING_URI" in os.environ else Ports.from_environment().mlflow_url
    )
