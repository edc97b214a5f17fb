"""The model server's process, put together."""

import gc
import socket
from functools import partial

import uvicorn

from mlops_core.registry.ledger import Ledger
from mlops_core.serving.app import create_app
from mlops_core.serving.follower import Follower
from mlops_core.serving.metrics import ServerMetrics
from mlops_core.serving.prediction import load_served_model
from mlops_core.serving.settings import ServerSettings
from mlops_core.settings import Settings


def serve(listener: socket.socket, *, settings: ServerSettings, places: Settings) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT; requests in flight are answered first.

    Raises
    ------
    DeclarationError
        If no ledger can live at its URL.
    """
    metrics = ServerMetrics()
    follower = Follower(
        deployments=Ledger(places.ledger_url).deployments,
        load=partial(
            load_served_model,
            tracking_uri=places.tracking_uri,
            cache=places.home / "cache" / "models",
            max_records=settings.max_records,
        ),
        metrics=metrics,
        poll_interval_s=settings.poll_interval_s,
        on_swap=settle_garbage,
    )
    configuration = uvicorn.Config(
        create_app(follower, settings=settings, metrics=metrics),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    gc.set_threshold(50_000, 50, 50)
    settle_garbage()
    uvicorn.Server(configuration).run(sockets=[listener])


def settle_garbage() -> None:
    """Take what lives long out of the garbage collector's sight, so that no request waits for it."""
    gc.collect()
    gc.freeze()
