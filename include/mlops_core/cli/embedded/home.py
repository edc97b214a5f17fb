"""The home directory: where everything the embedded platform writes lies, and who may wipe it."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from mlops_core.atomic import write_atomically
from mlops_core.document import Document
from mlops_core.errors import PlatformError
from mlops_core.settings import Settings

_MARKER = ".mlops-home"
_LOCK = ".lock"

Maker = Literal["up", "demo"]
"""Which command made a home. What the demo made it may wipe; anything else holds a person's work."""


class HomeMarker(Document):
    """The content of the file that tells a home from any other folder."""

    made_by: Maker
    made_at: datetime


@dataclass(frozen=True)
class Home:
    """One home directory and the names inside it."""

    root: Path

    @classmethod
    def from_environment(cls) -> Self:
        """Return the home that ``MLOPS_HOME`` names, by default ``.mlops`` in the working folder."""
        return cls(Settings.from_environment().home)

    @property
    def record_file(self) -> Path:
        """Which processes run, on which ports."""
        return self.root / "platform.json"

    @property
    def secrets_file(self) -> Path:
        """Generated keys; mode 0600."""
        return self.root / "secrets.json"

    @property
    def passwords_file(self) -> Path:
        """Generated passwords of Airflow's users; mode 0600."""
        return self.root / "passwords.json"

    @property
    def signing_key(self) -> Path:
        """The private key that signs model versions; mode 0600, in a folder of mode 0700."""
        return self.root / "keys" / "signing.pem"

    @property
    def trusted_keys(self) -> Path:
        """The public keys whose signatures are believed."""
        return self.root / "keys" / "trusted"

    @property
    def logs(self) -> Path:
        """One file a service."""
        return self.root / "logs"

    @property
    def airflow(self) -> Path:
        """``AIRFLOW_HOME``."""
        return self.root / "airflow"

    @property
    def mlflow(self) -> Path:
        """The MLflow server's database and artifacts."""
        return self.root / "mlflow"

    @property
    def landing(self) -> Path:
        """Where deliveries of data arrive as files."""
        return self.root / "landing"

    @property
    def summary_file(self) -> Path:
        """What the demo did."""
        return self.root / "summary.json"

    @property
    def marker(self) -> HomeMarker | None:
        """What made this home; nothing if it is no home of ours."""
        try:
            return HomeMarker.model_validate_json((self.root / _MARKER).read_bytes())
        except (OSError, ValidationError):
            return None

    def prepare(self, *, made_by: Maker) -> None:
        """Make the folders if they are not there yet.

        Raises
        ------
        PlatformError
            If the folder cannot be written, or holds something that this command did not make.
        """
        if self.marker is None and self._holds_files():
            raise PlatformError(
                f"{self.root} is not empty and was not made by this command; "
                "set MLOPS_HOME to an empty or new folder"
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.airflow, self.mlflow, self.landing):
                folder.mkdir(exist_ok=True)
            if self.marker is None:
                marker = HomeMarker(made_by=made_by, made_at=datetime.now(UTC))
                write_atomically(self.root / _MARKER, marker.model_dump_json())
        except OSError as error:
            raise PlatformError(
                f"cannot write the home {self.root}: {error.strerror or error}; "
                "set MLOPS_HOME to a folder that you may write"
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other command from changing this home meanwhile.

        Raises
        ------
        PlatformError
            If another command holds the lock; it names the process.
        """
        with (self.root / _LOCK).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise PlatformError(
                    f"another mlops command (pid {holder}) is at work in {self.root}; wait for it to end"
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def wipe(self) -> None:
        """Delete everything inside; the marker goes last, so that an interrupted wipe can be repeated.

        Raises
        ------
        PlatformError
            If the folder lacks our marker.
        """
        self._require_marker()
        for entry in (*self._entries(), self.root / _MARKER):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remove(self) -> None:
        """Delete the home itself; same guard as ``wipe``."""
        self.wipe()
        shutil.rmtree(self.root)

    def set_aside(self) -> Path:
        """Move what is inside to a new folder beside the home, and return that folder."""
        self._require_marker()
        target = Path(tempfile.mkdtemp(dir=self.root.parent, prefix=f"{self.root.name}.kept-"))
        for entry in self._entries():
            entry.rename(target / entry.name)
        (self.root / _MARKER).rename(target / _MARKER)
        return target

    def holds_work(self) -> bool:
        """Tell whether data have come into this home; without data there are no models either."""
        return (self.root / "data").exists()

    def _holds_files(self) -> bool:
        """Tell whether anything is here but folders: a train job without a platform leaves empty ones."""
        ours = {self.root / _MARKER, self.root / _LOCK}
        return any(
            path not in ours and (path.is_symlink() or not path.is_dir()) for path in self.root.rglob("*")
        )

    def _entries(self) -> list[Path]:
        return [entry for entry in self.root.iterdir() if entry.name not in {_MARKER, _LOCK}]

    def _require_marker(self) -> None:
        if self.marker is None:
            raise PlatformError(
                f"{self.root} has no file {_MARKER}, so it was not made by this command and is not wiped; "
                "delete it yourself, or set MLOPS_HOME to another folder"
            )


def is_private(path: Path) -> bool:
    """Tell whether nobody but the owner may read or write the file."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077
