"""What every test may use."""

import os

# Read by OpenMP when it is loaded: threads that wait by spinning make each other hundreds of times slower
# where several test runs share the processors.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
for _variable in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_variable, "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from docker_engine import docker_engine, python_image, stack_images, train_image  # noqa: E402  after the variables
from postgres_server import postgres_server, postgres_url  # noqa: E402
from servers import local_tracking_uri, mlflow_server  # noqa: E402
from signing_keys import signing_keys  # noqa: E402

__all__ = [
    "docker_engine",
    "local_tracking_uri",
    "mlflow_server",
    "postgres_server",
    "postgres_url",
    "python_image",
    "signing_keys",
    "stack_images",
    "train_image",
]
# Messages are compared as they are written, not as a narrow terminal would wrap them.
os.environ["COLUMNS"] = "250"
