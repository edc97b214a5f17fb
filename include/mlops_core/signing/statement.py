"""What is signed of a model version, and the signature itself."""

import json
from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import Field

from mlops_core.document import Document

OtherPurpose = Literal["ledger heads"]
"""What a key signs besides model versions."""


class Signature(Document):
    """An Ed25519 signature and the key that made it."""

    key_id: str = Field(min_length=1, description="The first 16 hex digits of the public key's SHA-256")
    value: str = Field(min_length=1, description="Base64")


class Version(Protocol):
    """Whatever says which version of which model it is, as the ledger's records do."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def version(self) -> int:
        """MLflow's number."""

    @property
    def digest(self) -> str:
        """Of the stored model's files."""

    @property
    def uri(self) -> str:
        """MLflow's ``models:/m-...``."""

    @property
    def run_id(self) -> str:
        """Of the run that stored it."""

    @property
    def evidence_digest(self) -> str | None:
        """Of the evaluation report that passed."""


class SignedVersion(Version, Protocol):
    """A version with the signature that vouches for it."""

    @property
    def signature(self) -> Signature | None:
        """None where nobody signed."""


class Statement(Document):
    """What a signature says: this number of this model is these files, of this run, on this evidence."""

    model: str = Field(min_length=1)
    version: int = Field(ge=1)
    digest: str = Field(min_length=1)
    uri: str = Field(min_length=1)
    run_id: str = Field(min_length=1)
    evidence_digest: str | None


def statement_of(version: Version) -> bytes:
    """Return the bytes that a signature of the version covers: canonical JSON behind its purpose."""
    statement = Statement.model_validate(version, from_attributes=True)
    return _text_for("model version", statement.model_dump())


def content_for(purpose: OtherPurpose, content: Mapping[str, object]) -> bytes:
    """Return the bytes that a signature of something else covers; they are those of no version."""
    return _text_for(purpose, content)


def _text_for(purpose: OtherPurpose | Literal["model version"], content: Mapping[str, object]) -> bytes:
    # Bytes that are signed for a purpose begin so, and for no other: a key's signatures cannot be exchanged.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"airflow-mlops {purpose} v1\n{text}".encode("ascii")
