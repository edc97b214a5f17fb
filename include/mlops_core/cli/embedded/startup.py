"""One attempt to start services: launch, wait until they are healthy, undo if they are not."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_core.cli.embedded.health import ServiceStatus, State, look
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.processes import end, start, tail
from mlops_core.cli.embedded.record import PlatformRecord, write_record
from mlops_core.cli.embedded.services import MIGRATION, Ending, Service
from mlops_core.errors import PlatformError

HEALTHY_WITHIN_S = 300.0
_MIGRATED_WITHIN_S = 300.0
# Airflow's triggerer often waits ten seconds for a child that has ended already; it loses nothing by SIGKILL.
_PATIENCE_S = 2.0
_GRACE_S = 6.0
_POLL_S = 0.2

Watcher = Callable[[Sequence[ServiceStatus]], None]
"""Called with the state of every service while the platform starts."""


@dataclass
class Startup:
    """Starts services one after the other; ``record`` always says what runs by now."""

    home: Home
    folder: Path
    environment: Mapping[str, str]
    record: PlatformRecord

    def launch(self, services: Sequence[Service]) -> None:
        """Start the services; those that need Airflow's database start once it is there.

        The database is made while the others load their libraries.
        """
        for service in services:
            if not service.needs_database:
                self._start(service)
        if any(service.needs_database for service in services):
            self._migrate()
        for service in services:
            if service.needs_database:
                self._start(service)

    def wait(
        self, services: Sequence[Service], *, watcher: Watcher, timeout_s: float = HEALTHY_WITHIN_S
    ) -> None:
        """Return when every service is healthy.

        Raises
        ------
        PlatformError
            If one ends, or is not healthy in time; it shows the end of that service's log.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            statuses = look(services, self.record)
            watcher(statuses)
            for status in statuses:
                if status.state is State.ENDED:
                    log = log_file(self.home, status.service.name)
                    raise PlatformError(
                        f"{status.service.title} ended while it started; log {log}\n{tail(log)}"
                    )
            late = [status.service for status in statuses if status.state is not State.HEALTHY]
            if not late:
                return
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"  {service.title}: {log_file(self.home, service.name)}" for service in late
                )
                raise PlatformError(f"not healthy after {timeout_s:.0f} s; logs:\n{logs}")
            time.sleep(_POLL_S)

    def _start(self, service: Service) -> None:
        process = start(
            service.command,
            environment={**self.environment, **service.variables},
            folder=self.folder,
            log=log_file(self.home, service.name),
        )
        self.record = self.record.with_process(service.name, process)
        write_record(self.home, self.record)

    def _migrate(self) -> None:
        log = log_file(self.home, "airflow-db-migrate")
        with log.open("ab") as output:
            try:
                subprocess.run(  # noqa: S603  a constant of this package
                    MIGRATION,
                    env=dict(self.environment),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_MIGRATED_WITHIN_S,
                    check=True,
                )
            except subprocess.SubprocessError as error:
                reason = type(error).__name__
                raise PlatformError(
                    f"Airflow's database was not made ({reason}); log {log}\n{tail(log)}"
                ) from error


def end_services(record: PlatformRecord, services: Sequence[Service]) -> int:
    """End the recorded processes of these services, first what starts tasks, then what tasks talk to.

    Returns
    -------
    How many processes had to be killed.
    """
    killed = 0
    for ending in Ending:
        names = [service.name for service in services if service.ending is ending]
        recorded = [record.processes[name] for name in names if name in record.processes]
        killed += end(recorded, patience_s=_PATIENCE_S, grace_s=_GRACE_S)
    return killed


def log_file(home: Home, name: str) -> Path:
    """Return where a service's output goes."""
    return home.logs / f"{name}.log"
