"""What docker-compose.yaml asks for: secrets, generated once, and facts of this machine, found each time."""

import base64
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlops_core.atomic import write_atomically
from mlops_core.cli.embedded.home import is_private
from mlops_core.cli.embedded.ports import Ports, variable
from mlops_core.cli.gpu_pool import GPU_SLOTS, gpu_slots
from mlops_core.errors import PlatformError
from mlops_core.training.environment import CODE_VERSION_VARIABLE, code_version

SIGN_IN_VARIABLE = "MLOPS_ADMIN_PASSWORD"
"""Holds the password of Airflow's one user."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_DEFAULT_NAME = "airflow-mlops"
_SOCKET = "unix:///var/run/docker.sock"
_READABLE = 0o444


def _password() -> str:
    return secrets.token_urlsafe(24)


_SECRETS: Mapping[str, Callable[[], str]] = {
    SIGN_IN_VARIABLE: lambda: secrets.token_urlsafe(16),
    "POSTGRES_PASSWORD": _password,
    "AIRFLOW_DATABASE_PASSWORD": _password,
    "CELERY_DATABASE_PASSWORD": _password,
    "LEDGER_DATABASE_PASSWORD": _password,
    "MLFLOW_DATABASE_PASSWORD": _password,
    "REDIS_PASSWORD": _password,
    "AIRFLOW_API_SECRET_KEY": lambda: secrets.token_urlsafe(32),
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_urlsafe(64),
    # Fernet takes 32 random bytes in URL-safe base64.
    "AIRFLOW_FERNET_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}
"""How each secret is made. All are letters, digits, ``-``, ``_`` and ``=``: fit for URLs, without quotes."""


@dataclass(frozen=True)
class StackFiles:
    """One stack of the project in a folder: its name, and the files that Docker Compose reads for it."""

    name: str
    folder: Path

    @classmethod
    def from_environment(cls) -> Self:
        """Return the stack of the project in the working folder, by default named ``airflow-mlops``.

        ``MLOPS_STACK_NAME`` names another one, beside it, with containers, volumes and secrets of its own.

        Raises
        ------
        PlatformError
            If the name is of no use to Docker, or there is no ``docker-compose.yaml``.
        """
        name = os.environ.get("MLOPS_STACK_NAME") or _DEFAULT_NAME
        if not _NAME.fullmatch(name):
            raise PlatformError(
                f"MLOPS_STACK_NAME={name!r} is no name for a stack; "
                "use up to 41 small letters, digits, - and _, with a letter or digit first"
            )
        stack = cls(name=name, folder=Path.cwd())
        if not stack.compose_file.is_file():
            raise PlatformError(f"there is no {stack.compose_file}; run this in the project's folder")
        return stack

    @property
    def compose_file(self) -> Path:
        """The services."""
        return self.folder / "docker-compose.yaml"

    @property
    def gpus_file(self) -> Path:
        """What a machine with GPUs changes in the services."""
        return self.folder / "docker" / "gpus.yaml"

    @property
    def databases_file(self) -> Path:
        """What PostgreSQL's container reads when its cluster is made."""
        return self.folder / "docker" / "postgres" / "databases.sql"

    @property
    def variables_file(self) -> Path:
        """Secrets and facts, as Docker Compose reads them; mode 0600, in a folder of mode 0700."""
        return self.folder / "docker" / "secrets" / f"{self.name}.env"

    def variables(self) -> dict[str, str]:
        """Return what the file of variables holds; nothing if it is not there."""
        if not self.variables_file.exists():
            return {}
        lines = self.variables_file.read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def ports(self) -> Ports:
        """Return the ports that the file of variables names; those of the environment without it."""
        known = self.variables()
        named = {field: known[variable(field)] for field in Ports.model_fields if variable(field) in known}
        return Ports.model_validate(named) if named else Ports.from_environment()

    def write_variables(self, *, ports: Ports, gpus: int) -> dict[str, str]:
        """Write the file of variables: secrets that it holds stay, the facts are found anew.

        Raises
        ------
        PlatformError
            If the Docker engine is not one of this machine, or ``MLOPS_GPU_SLOTS`` is no number.
        """
        known = self.variables()
        variables = {name: known.get(name) or make() for name, make in _SECRETS.items()}
        variables |= {
            "MLOPS_STACK_NAME": self.name,
            **{variable(field): str(port) for field, port in ports.model_dump().items()},
            GPU_SLOTS: str(gpu_slots(gpus=gpus)),
            # The image holds the code and not its repository.
            CODE_VERSION_VARIABLE: str(code_version(self.folder) or ""),
            **_socket(),
        }
        self.variables_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(self.variables_file.parent):
            self.variables_file.parent.chmod(0o700)
        lines = ["# Generated by: mlops stack up. Secrets are kept, the rest is written anew each time."]
        lines += [f"{name}={value}" for name, value in variables.items()]
        write_atomically(self.variables_file, "\n".join(lines) + "\n")
        return variables

    def open_to_containers(self) -> None:
        """Let PostgreSQL's container read what it is shown, whatever mask the project was checked out with.

        Raises
        ------
        PlatformError
            If the file is somebody else's.
        """
        mode = self.databases_file.stat().st_mode
        if mode & _READABLE == _READABLE:
            return
        try:
            self.databases_file.chmod(mode | _READABLE)
        except PermissionError as error:
            raise PlatformError(
                f"PostgreSQL's container cannot read {self.databases_file}; as its owner, run: "
                f"chmod a+r {self.databases_file}"
            ) from error

    def remove_variables(self) -> None:
        """Delete the file of variables."""
        self.variables_file.unlink(missing_ok=True)


def _socket() -> dict[str, str]:
    """Return where the engine's socket lies, and the group whose members may use it."""
    address = os.environ.get("DOCKER_HOST") or _SOCKET
    scheme, _, path = address.partition("://")
    if scheme != "unix":
        raise PlatformError(
            f"DOCKER_HOST={address} is no socket of this machine, and the training worker starts containers "
            "through one; run the stack on the engine's machine"
        )
    socket = Path(path)
    group = socket.stat().st_gid if socket.exists() else 0
    return {"DOCKER_SOCKET": path, "DOCKER_SOCKET_GROUP": str(group)}
