"""Which errors are worth another try, for every operator of the pack."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from mlops_core.errors import (
    ContainerOutOfMemoryError,
    DiskFullError,
    GpuMissingError,
    GpusBusyError,
    ImageMissingError,
    ServiceUnavailableError,
)

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[AttributeError, ImportError, NameError, TypeError],
            action=RetryAction.FAIL,
            reason="a mistake in the code; another try makes it again",
        ),
        RetryRule(
            exception=[ContainerOutOfMemoryError, GpuMissingError, ImageMissingError],
            action=RetryAction.FAIL,
            reason="the container cannot run as declared; another try asks for the same",
        ),
        RetryRule(
            exception=[ServiceUnavailableError, DiskFullError, GpusBusyError],
            action=RetryAction.RETRY,
            reason="something outside the task was not there; it may be back",
        ),
    ]
)
"""Refused models and bad data fail at once too: the operators say so themselves. Any other error, such as a
container's exit code, is retried as often as the task allows."""

RETRIES: dict[str, Any] = {
    # What is left to retry is a service that did not answer or a worker that died: five tries over about two
    # and a half minutes outlast a server's restart.
    "retry_policy": RETRY_POLICY,
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
}
