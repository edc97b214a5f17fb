"""Bring the stack up and down, as one thing."""

import json
import time
from dataclasses import dataclass
from typing import Self

from mlops_core.cli.embedded.ports import Ports, require_free, variable
from mlops_core.cli.stack.client import listed, run_docker
from mlops_core.cli.stack.configuration import StackFiles
from mlops_core.cli.stack.images import STACK_IMAGE, TRAIN_IMAGE, build_images
from mlops_core.containers.gpus import visible_gpus
from mlops_core.errors import PlatformError

_PREPARATION = "prepare"
_HEALTHY_WITHIN_S = 600
_ENDED_WITHIN_S = 300.0
_MANAGED = "label=mlops.managed=true"


@dataclass(frozen=True)
class Container:
    """What is known of the container of a service."""

    service: str
    state: str
    health: str
    exit_code: int = 0

    @property
    def is_healthy(self) -> bool:
        """Whether it does its work, or has done it."""
        if self.service == _PREPARATION:
            return self.state == "exited" and self.exit_code == 0
        return self.health == "healthy"


@dataclass(frozen=True)
class Stack:
    """One stack; ``up`` and ``down`` may be called again at any time.

    ``gpus`` is how many this machine has.
    """

    files: StackFiles
    gpus: int = 0

    @classmethod
    def from_environment(cls) -> Self:
        """Return the stack of the project in the working folder, on this machine."""
        return cls(StackFiles.from_environment(), gpus=len(visible_gpus()))

    def build(self) -> None:
        """Make the images of the project as it is."""
        build_images(self.files.folder, TRAIN_IMAGE, STACK_IMAGE)

    def up(self) -> float:
        """Start what does not run yet and wait until everything is healthy.

        Returns
        -------
        Seconds.

        Raises
        ------
        PlatformError
            If a port is taken, the data of an earlier stack have lost their secrets, or a service does not
            become healthy. What runs then stays, to be looked at.
        """
        began = time.monotonic()
        ports = Ports.from_environment()
        if not self.containers():
            for field, port in ports.model_dump().items():
                require_free(port, setting=variable(field))
        if not self.files.variables() and self._volumes():
            raise PlatformError(
                f"{self.files.variables_file} is gone, and the volumes of {self.files.name} open to its "
                "passwords alone; put it back, or delete the volumes with: mlops stack down --wipe"
            )
        self.files.write_variables(ports=ports, gpus=self.gpus)
        self.files.open_to_containers()
        wait = ("--wait", "--wait-timeout", str(_HEALTHY_WITHIN_S))
        try:
            self._compose("up", "--detach", "--remove-orphans", *wait, timeout_s=_HEALTHY_WITHIN_S + 60)
        except PlatformError as error:
            # Some versions of Compose call it a failure that a container has done its work and ended.
            containers = self.containers()
            if not containers or not all(container.is_healthy for container in containers):
                raise PlatformError(f"{error}\n{self._unwell()}") from error
        return time.monotonic() - began

    def down(self, *, wipe: bool = False) -> bool:
        """Remove every container and network of the stack, those that its tasks started included.

        Parameters
        ----------
        wipe
            The volumes and the secrets as well.

        Returns
        -------
        Whether there was anything.
        """
        found = bool(self.containers() or self._volumes() or self._trained())
        # First nothing starts a container any more, then those that were started go, and then what they used.
        compose = ("compose", "--project-name", self.files.name)
        run_docker(*compose, "stop", timeout_s=_ENDED_WITHIN_S)
        self._remove_trained()
        run_docker(*compose, "down", "--remove-orphans", timeout_s=_ENDED_WITHIN_S)
        if wipe:
            _remove("volume", self._volumes())
            self.files.remove_variables()
        return found

    def containers(self) -> tuple[Container, ...]:
        """Return the containers of the services, running or not."""
        output = run_docker("compose", "--project-name", self.files.name, "ps", "--all", "--format", "json")
        found = [json.loads(line) for line in output.splitlines() if line.strip()]
        return tuple(
            Container(
                service=entry["Service"],
                state=entry["State"],
                health=entry.get("Health") or "",
                exit_code=entry.get("ExitCode") or 0,
            )
            for entry in sorted(found, key=lambda entry: str(entry["Service"]))
        )

    def _compose(self, *arguments: str, timeout_s: float = 120.0) -> str:
        compose_files = (self.files.compose_file, *((self.files.gpus_file,) if self.gpus else ()))
        named = (argument for file in compose_files for argument in ("--file", str(file)))
        return run_docker(
            *("compose", "--project-name", self.files.name, *named),
            *("--env-file", str(self.files.variables_file), *arguments),
            folder=self.files.folder,
            # Compose lets a variable that happens to be exported win over the file.
            variables=self.files.variables(),
            timeout_s=timeout_s,
        )

    def _unwell(self) -> str:
        """Return how the logs of the services end that are not healthy."""
        unwell = [container.service for container in self.containers() if not container.is_healthy]
        logs = [self._compose("logs", "--no-color", "--tail", "20", service) for service in unwell]
        return "\n".join([f"not healthy: {', '.join(unwell)}", *logs])

    def _volumes(self) -> tuple[str, ...]:
        project = f"label=com.docker.compose.project={self.files.name}"
        return listed("volume", "ls", "--quiet", "--filter", project)

    def _trained(self) -> tuple[str, ...]:
        """Return the containers that tasks of this stack started: by its label, or on its network."""
        on_network = f"network={self.files.name}-training"
        labelled = f"label=mlops.stack={self.files.name}"
        found = {
            container
            for belongs in (on_network, labelled)
            for container in listed("ps", "--all", "--quiet", "--filter", _MANAGED, "--filter", belongs)
        }
        return tuple(sorted(found))

    def _remove_trained(self) -> None:
        containers = self._trained()
        belonging = [f"label=mlops.stack={self.files.name}"]
        if containers:
            names = run_docker("inspect", "--format", '{{index .Config.Labels "mlops.name"}}', *containers)
            belonging += [f"label=mlops.name={name}" for name in sorted(set(names.split()))]
            run_docker("rm", "--force", "--volumes", *containers)
        for kind in ("volume", "network"):
            for belongs in belonging:
                _remove(kind, listed(kind, "ls", "--quiet", "--filter", _MANAGED, "--filter", belongs))


def _remove(kind: str, names: tuple[str, ...]) -> None:
    if names:
        run_docker(kind, "rm", *names)
