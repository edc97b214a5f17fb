"""Health checks inside the containers: ``python -m mlops_core.cli.stack.health URL [COMPONENT] | celery``.

Exit code 0 when a web server answers, when Airflow's API calls the component healthy, or when the Celery
worker of this container answers through its broker. Light, since it runs every few seconds.
"""

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Sequence

_ANSWER_WITHIN_S = 5.0


def main(arguments: Sequence[str]) -> int:
    """Return 0 if what is named works."""
    if arguments[0] == "celery":
        return 0 if worker_answers() else 1
    return 0 if answers(arguments[0], component=arguments[1] if len(arguments) > 1 else None) else 1


def answers(url: str, *, component: str | None = None) -> bool:
    """Tell whether a web server answers and, where a component is named, calls it healthy."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN_S) as response:  # noqa: S310  from the compose file
            body = response.read()
        return component is None or json.loads(body)[component]["status"] == "healthy"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def worker_answers() -> bool:
    """Tell whether the Celery worker of this machine answers through its broker."""
    from celery import Celery

    worker = f"celery@{socket.gethostname()}"
    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    return bool(app.control.ping(destination=[worker], timeout=_ANSWER_WITHIN_S))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
