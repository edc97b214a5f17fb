"""Whether a service works, as seen from outside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx

from mlops_core.cli.embedded.processes import find
from mlops_core.cli.embedded.record import PlatformRecord
from mlops_core.cli.embedded.services import Service

_ANSWER_WITHIN_S = 10.0


class State(StrEnum):
    """What is known of one service."""

    HEALTHY = "healthy"
    STARTING = "not healthy yet"
    ENDED = "ended by itself"
    ABSENT = "not started"


@dataclass(frozen=True)
class ServiceStatus:
    """One service and its state."""

    service: Service
    state: State
    pid: int | None = None
    seconds: float | None = None


def look(services: Sequence[Service], record: PlatformRecord) -> tuple[ServiceStatus, ...]:
    """Return the state of every service; asks each web server once."""
    with httpx.Client(timeout=_ANSWER_WITHIN_S, trust_env=False) as client:
        airflow: Mapping[str, Any] = {}
        statuses = []
        # Web servers first: Airflow's one knows how the other components are.
        for service in sorted(services, key=lambda service: service.health_path is None):
            answer = _ask(client, service) if _process(service, record) is not None else None
            if service.needs_database and answer is not None:
                airflow = answer
            statuses.append(_status(service, record, answer=answer, airflow=airflow))
    order = {service.name: position for position, service in enumerate(services)}
    return tuple(sorted(statuses, key=lambda status: order[status.service.name]))


def _status(
    service: Service, record: PlatformRecord, *, answer: Mapping[str, Any] | None, airflow: Mapping[str, Any]
) -> ServiceStatus:
    process = _process(service, record)
    if process is None:
        return ServiceStatus(service, State.ENDED if service.name in record.processes else State.ABSENT)
    started = record.processes[service.name].create_time
    if service.airflow_component is None:
        healthy = answer is not None
    else:
        healthy = _component_is_healthy(airflow, service.airflow_component, since=started)
    return ServiceStatus(
        service,
        State.HEALTHY if healthy else State.STARTING,
        pid=process.pid,
        seconds=max(0.0, datetime.now(UTC).timestamp() - started),
    )


def _process(service: Service, record: PlatformRecord) -> Any:
    known = record.processes.get(service.name)
    return None if known is None else find(known)


def _ask(client: httpx.Client, service: Service) -> Mapping[str, Any] | None:
    """Return the answer of a web server, an empty one if it is healthy but says nothing readable."""
    if service.health_path is None:
        return None
    try:
        response = client.get(f"{service.url}{service.health_path}")
        if response.status_code != httpx.codes.OK:
            return None
        body = response.json() if "json" in response.headers.get("content-type", "") else {}
    except (httpx.HTTPError, ValueError):
        return None
    return body if isinstance(body, Mapping) else {}


def _component_is_healthy(airflow: Mapping[str, Any], component: str, *, since: float) -> bool:
    """Tell whether the component's heartbeat is its own: a killed one leaves a fresh heartbeat behind."""
    report = airflow.get(component)
    if not isinstance(report, Mapping) or report.get("status") != "healthy":
        return False
    heartbeat = report.get(f"latest_{component}_heartbeat")
    try:
        return heartbeat is not None and datetime.fromisoformat(str(heartbeat)).timestamp() >= since - 1
    except ValueError:
        return False
