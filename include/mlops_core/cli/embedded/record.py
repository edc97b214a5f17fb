"""What runs in a home: written after every start, read by every later command."""

from pydantic import Field, ValidationError

from mlops_core.atomic import write_atomically
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.ports import Ports
from mlops_core.cli.embedded.processes import ProcessRecord
from mlops_core.document import Document
from mlops_core.errors import PlatformError


class PlatformRecord(Document):
    """The ports of a platform and the processes that were started for it."""

    airflow_port: int
    mlflow_port: int
    model_server_port: int
    processes: dict[str, ProcessRecord] = Field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        """Where the platform listens, whatever the environment says by now."""
        return Ports(
            airflow_port=self.airflow_port,
            mlflow_port=self.mlflow_port,
            model_server_port=self.model_server_port,
        )

    def with_process(self, name: str, process: ProcessRecord) -> "PlatformRecord":
        """Return this record with one process added or replaced."""
        return self.model_copy(update={"processes": {**self.processes, name: process}})


def read_record(home: Home) -> PlatformRecord | None:
    """Return what the home's record says; nothing if no platform was started there.

    Raises
    ------
    PlatformError
        If the file is there and cannot be understood.
    """
    try:
        return PlatformRecord.model_validate_json(home.record_file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise PlatformError(
            f"{home.record_file} cannot be understood ({type(error).__name__}); end what runs in {home.root} "
            "yourself, then delete that file"
        ) from error


def write_record(home: Home, record: PlatformRecord) -> None:
    """Replace the home's record."""
    write_atomically(home.record_file, record.model_dump_json(indent=2) + "\n")


def delete_record(home: Home) -> None:
    """Forget what ran."""
    home.record_file.unlink(missing_ok=True)
