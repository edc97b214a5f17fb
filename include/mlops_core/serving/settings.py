"""How the model server is run: read from ``MLOPS_SERVER_*`` environment variables."""

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """Address and limits of one model server process.

    The limits bound what one client can make the server hold or compute; the memory that requests may take is
    about ``max_concurrent_requests`` times ``max_body_bytes``.
    """

    model_config = SettingsConfigDict(env_prefix="MLOPS_SERVER_", frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65_535, description="0 takes any free port")
    poll_interval_s: float = Field(default=0.5, gt=0, le=60, description="Between two looks at the ledger")
    max_body_bytes: int = Field(default=5_000_000, ge=1_000)
    max_records: int = Field(default=10_000, ge=1)
    body_timeout_s: float = Field(default=30.0, gt=0, description="For a client to send its body")
    max_concurrent_requests: int = Field(default=256, ge=1, description="More are answered 503")
    prediction_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    shutdown_timeout_s: int = Field(default=10, ge=0, description="For requests in flight when asked to stop")
