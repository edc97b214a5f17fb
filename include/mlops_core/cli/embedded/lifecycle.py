"""Bring the platform up and down, as one thing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_core.cli.airflow_api import AirflowClient
from mlops_core.cli.embedded.credentials import (
    USER,
    ensure_keys,
    ensure_password,
    ensure_secrets,
    read_password,
)
from mlops_core.cli.embedded.environment import Project, platform_environment
from mlops_core.cli.embedded.health import ServiceStatus, look
from mlops_core.cli.embedded.home import Home, Maker
from mlops_core.cli.embedded.ports import Ports, require_free, variable
from mlops_core.cli.embedded.processes import ProcessRecord, find
from mlops_core.cli.embedded.record import PlatformRecord, delete_record, read_record, write_record
from mlops_core.cli.embedded.services import API_SERVER, Service, services
from mlops_core.cli.embedded.startup import Startup, Watcher, end_services
from mlops_core.cli.gpu_pool import size_gpu_pool
from mlops_core.containers.gpus import visible_gpus


@dataclass(frozen=True)
class Started:
    """What ``up`` did: the services it started, and those whose record was stale."""

    ports: Ports
    started: tuple[str, ...]
    stale: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Ended:
    """What ``down`` did."""

    services: tuple[str, ...] = ()
    killed: int = 0
    seconds: float = 0.0


def _ignore(statuses: Sequence[ServiceStatus]) -> None:
    del statuses


@dataclass(frozen=True)
class EmbeddedPlatform:
    """The platform of one home; ``up`` and ``down`` may be called again at any time."""

    home: Home
    watcher: Watcher = _ignore

    def up(self, *, made_by: Maker = "up") -> Started:
        """Start what does not run yet and wait until everything is healthy.

        Raises
        ------
        PlatformError
            If a port is taken, the home cannot be written, or a service does not become healthy. Whatever
            this call started has ended again by then.
        """
        began = time.monotonic()
        self.home.prepare(made_by=made_by)
        with self.home.lock():
            former = read_record(self.home)
            running = _running(former)
            ports = former.ports if former is not None and running else Ports.from_environment()
            missing = tuple(service for service in services(self.home, ports) if service.name not in running)
            stale = tuple(sorted(set(former.processes) - set(running))) if former is not None else ()
            if missing:
                self._start(missing, former=former, ports=ports)
        started = tuple(service.name for service in missing)
        return Started(ports=ports, started=started, stale=stale, seconds=time.monotonic() - began)

    def down(self) -> Ended:
        """End every process that ``up`` started here, and nothing else.

        A process that was not started by ``up``, or that got a recorded pid later, is left alone.
        """
        began = time.monotonic()
        if self.home.marker is None:
            return Ended()
        with self.home.lock():
            record = read_record(self.home)
            if record is None:
                return Ended()
            running = tuple(_running(record))
            killed = end_services(record, services(self.home, record.ports))
            delete_record(self.home)
        return Ended(services=running, killed=killed, seconds=time.monotonic() - began)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the state of every service; empty if no platform was started here."""
        record = self.record()
        return () if record is None else look(services(self.home, record.ports), record)

    def record(self) -> PlatformRecord | None:
        """Return what was started here, running or not."""
        return read_record(self.home) if self.home.marker is not None else None

    def _start(self, missing: tuple[Service, ...], *, former: PlatformRecord | None, ports: Ports) -> None:
        project = Project.from_environment()
        if former is not None:
            # A service that was killed may have left children, which hold its port or its database.
            end_services(former, missing)
        _require_free_ports(missing, ports)
        ensure_password(self.home)
        ensure_keys(self.home)
        keys = ensure_secrets(self.home)
        kept = PlatformRecord(**ports.model_dump(), processes=_running(former))
        startup = Startup(
            home=self.home,
            folder=project.root,
            environment=platform_environment(self.home, ports=ports, project=project, secrets=keys),
            record=kept,
        )
        try:
            startup.launch(missing)
            startup.wait(services(self.home, ports), watcher=self.watcher)
            if any(service.name == API_SERVER for service in missing):
                self._make_pools(ports)
        except BaseException:
            end_services(startup.record, missing)
            write_record(self.home, kept)
            raise

    def _make_pools(self, ports: Ports) -> None:
        """Make the pool that tasks with GPUs wait in; without it Airflow would never start them."""
        with AirflowClient(ports.airflow_url, user=USER, password=read_password(self.home)) as airflow:
            size_gpu_pool(airflow, gpus=len(visible_gpus()))


def _running(record: PlatformRecord | None) -> dict[str, ProcessRecord]:
    processes = {} if record is None else record.processes
    return {name: process for name, process in processes.items() if find(process) is not None}


def _require_free_ports(missing: Sequence[Service], ports: Ports) -> None:
    for service in missing:
        if service.port_field is not None:
            require_free(getattr(ports, service.port_field), setting=variable(service.port_field))
