"""The documents of a pipeline as OpenLineage's datasets: how each is named, and which version of it is meant.

OpenLineage names a dataset by a namespace (the store) and a name in it, and keeps the version beside them, so
that all versions of one table, or of one model, are one node of the graph.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from mlops_core.data.documents import PublishedPartition, SnapshotIdentity, StagedPartition
from mlops_core.document import Document
from mlops_core.models.record import ModelRecord
from mlops_core.registry.records import VersionRecord


class LineageDataset(Document):
    """One dataset as OpenLineage knows it, free of its client's classes."""

    namespace: str
    name: str
    version: str
    storage: Literal["delta", "parquet", "mlflow"]
    rows: int | None = None
    fields: dict[str, str] = Field(default_factory=dict, description="Type by column")
    details: dict[str, str] = Field(default_factory=dict, description="What only this pack knows of it")


class StepLineage(Document):
    """What one step read and what it made."""

    inputs: tuple[LineageDataset, ...] = ()
    outputs: tuple[LineageDataset, ...] = ()


def snapshot_dataset(
    snapshot: SnapshotIdentity, *, fields: Mapping[str, str] | None = None, rows: int | None = None
) -> LineageDataset:
    """Describe one version of a table, of snapshots or of predictions."""
    namespace, name = dataset_name(snapshot.table_uri)
    return LineageDataset(
        namespace=namespace,
        name=name,
        version=str(snapshot.version),
        storage="delta",
        rows=rows,
        fields=dict(fields or {}),
        details={"digest": snapshot.digest},
    )


def partition_dataset(published: PublishedPartition) -> LineageDataset:
    """Describe the version of a table that one publication made."""
    whole = snapshot_dataset(published.snapshot, rows=published.rows)
    details = {"partition": published.partition, "partition_digest": published.digest}
    return whole.model_copy(update={"details": {**whole.details, **details}})


def staged_dataset(staged: StagedPartition) -> LineageDataset:
    """Describe a partition that waits for validation: its folder is the name, its digest the version."""
    namespace, name = dataset_name(staged.uri.rpartition("/")[0])
    return LineageDataset(
        namespace=namespace,
        name=name,
        version=staged.digest,
        storage="parquet",
        rows=staged.rows,
        details={"digest": staged.digest, "partition": staged.partition},
    )


def model_dataset(stored: ModelRecord, *, tracking_uri: str, candidate: str = "") -> LineageDataset:
    """Describe the model that one run has stored."""
    details = {"digest": stored.digest, "run_id": stored.run_id}
    return LineageDataset(
        namespace=model_namespace(tracking_uri),
        name=stored.uri.removeprefix("models:/"),
        version=stored.digest,
        storage="mlflow",
        details={**details, "candidate": candidate} if candidate else details,
    )


def version_dataset(record: VersionRecord, *, tracking_uri: str) -> LineageDataset:
    """Describe a registered version: the model names it, MLflow's number is the version."""
    details = {"digest": record.digest, "run_id": record.run_id, "uri": record.uri}
    if record.evidence_digest is not None:
        details["evidence_digest"] = record.evidence_digest
    return LineageDataset(
        namespace=model_namespace(tracking_uri),
        name=record.model,
        version=str(record.version),
        storage="mlflow",
        details=details,
    )


def dataset_name(address: str) -> tuple[str, str]:
    """Return OpenLineage's namespace and name of a path or URI.

    As its naming rules say: ``file`` and the path; for an object store its scheme and bucket, and the key.
    """
    if "://" not in address:
        return "file", str(Path(address).absolute())
    parts = urlsplit(address)
    if parts.scheme == "file":
        return "file", parts.path
    # Never the user and password that a URI may hold.
    return f"{parts.scheme}://{parts.hostname or ''}", parts.path.strip("/") or "/"


def model_namespace(tracking_uri: str) -> str:
    """Return the namespace of models on an MLflow server: its address, without who signs in."""
    parts = urlsplit(tracking_uri)
    host = parts.hostname or parts.path
    port = f":{parts.port}" if parts.port else ""
    return f"mlflow://{host}{port}"
