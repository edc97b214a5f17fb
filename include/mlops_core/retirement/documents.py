"""What an archive says of itself, and what is left where one was freed."""

from pydantic import Field

from mlops_core.document import Document
from mlops_core.names import Name
from mlops_core.registry.records import UtcInstant, VersionRecord


class Manifest(Document):
    """What an archive holds. The record names the model's digest, evidence and signature."""

    record: VersionRecord
    files: dict[str, str] = Field(description="SHA-256 by path, of every file but the manifest")
    gaps: tuple[str, ...] = Field(default=(), description="What could not be archived, and why")


class FreedArchive(Document):
    """A note in an archive's place: retention has freed it."""

    model: Name
    version: int = Field(ge=1)
    archive: str
    archive_digest: str
    reason: str
    at: UtcInstant


class CheckedArchive(Document):
    """An archive that was read back: every digest and the signature fit."""

    manifest: Manifest
    archive: str
    archive_digest: str
    bytes: int
    key_id: str = Field(description="Of the trusted key that vouches for the version")
