"""Where state lives: read from ``MLOPS_*`` environment variables, with embedded defaults under one home."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mlops_core.containers.specification import Mount
from mlops_core.runners import InProcess, RunnerDeclaration


class Settings(BaseSettings):
    """Addresses of everything outside the process.

    ``MLOPS_HOME`` moves all of it; each other variable moves one part.
    """

    model_config = SettingsConfigDict(env_prefix="MLOPS_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.cwd() / ".mlops")
    data_uri: str = Field(default="", description="Folder of the Delta tables")
    reports_path: Path = Field(default=Path(), description="Folder of the pages that the web UI shows")
    archive_path: str = Field(default="", description="Folder or URI of the archives of retired versions")
    ledger_url: str = Field(default="", description="SQLAlchemy URL")
    signing_key: Path = Field(
        default=Path(), description="Private key that signs versions and noted heads; only where that is done"
    )
    trusted_keys: Path = Field(default=Path(), description="Folder of the public keys that are believed")
    tracking_uri: str = "http://127.0.0.1:5000"
    model_server_url: str = "http://127.0.0.1:8000"
    stack_name: str = Field(
        default="", description="Names one platform on a Docker engine that several share; its home if empty"
    )
    runner: RunnerDeclaration = Field(
        default=InProcess(), description="JSON: where candidates are fitted that do not say it themselves"
    )
    training_queue: str | None = Field(
        default=None, description="Celery queue of workers with a Docker engine; Airflow's default if None"
    )
    gpu_slots: int | None = Field(
        default=None, ge=0, description="Slots of Airflow's pool gpu; 0 for no limit, not known if None"
    )
    train_image: str = Field(default="airflow-mlops-train:latest", description="Of containers that fit")
    train_network: str = Field(
        default="bridge", description="Docker network on which such a container reaches MLflow"
    )
    train_mounts: tuple[Mount, ...] = Field(
        default=(),
        description="JSON list of its mounts; the folder of a local data_uri if empty",
    )
    train_environment: tuple[str, ...] = Field(
        default=(), description="JSON list of variables handed on to such a container, as for an object store"
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_from_home(cls, values: dict[str, object]) -> dict[str, object]:
        home = Path(str(values.get("home") or Path.cwd() / ".mlops")).expanduser().absolute()
        derived: dict[str, object] = {
            "data_uri": str(home / "data"),
            "reports_path": home / "reports",
            "archive_path": str(home / "archive"),
            "ledger_url": f"sqlite:///{home / 'ledger.db'}",
            "signing_key": home / "keys" / "signing.pem",
            "trusted_keys": home / "keys" / "trusted",
            "stack_name": str(home),
        }
        return {**derived, **values, "home": home}

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment now; nothing is cached, so a test may change it."""
        return cls()
