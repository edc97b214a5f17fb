"""Lineage both ways: of a version, and of a partition."""

from collections.abc import Sequence

from mlflow import MlflowClient

from mlops_core.data.history import publications
from mlops_core.data.names import checked_partition
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, DeclarationError
from mlops_core.lineage.documents import (
    PartitionContent,
    PartitionLineage,
    Period,
    VersionLineage,
    VersionUse,
)
from mlops_core.lineage.origin import read_origin
from mlops_core.lineage.scorings import scorings
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import LedgerEvent, Transition


def lineage_of_version(
    model: str, version: int, *, ledger: Ledger, client: MlflowClient, store: SnapshotStore
) -> VersionLineage:
    """Return what a version was made of, when it was in production, and what it scored.

    Raises
    ------
    DeclarationError
        If the ledger does not know the version.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    record = ledger.version(model, version)
    origin, gaps = read_origin(client, record.run_id)
    scored, unread = scorings(store, model)
    return VersionLineage(
        version=record,
        origin=origin,
        production=_periods(ledger.history(model), version=version),
        deployments=_periods(
            [event for event in ledger.events(model) if event.kind == "deploy"], version=version
        ),
        # The digest, and not the number, says which model it was.
        predictions=tuple(one for one in scored if one.model_digest == record.digest),
        retirement=next((one for one in ledger.retirements(model) if one.version == version), None),
        gaps=(*gaps, *unread),
    )


def lineage_of_partition(
    model: str, partition: str, *, ledger: Ledger, client: MlflowClient, store: SnapshotStore
) -> PartitionLineage:
    """Return what a partition held, and which versions were trained on it, judged on it, or scored it.

    Raises
    ------
    DeclarationError
        If it is no partition's key, or nothing knows the model.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    checked_partition(partition)
    versions = ledger.versions(model)
    gaps: list[str] = []
    uses: dict[str, list[VersionUse]] = {"training": [], "holdout": []}
    for record in versions:
        origin, unread = read_origin(client, record.run_id)
        gaps += [f"version {record.version}: {gap}" for gap in unread]
        used = None if origin is None else origin.use_of(partition)
        if origin is not None and used is not None:
            use = VersionUse(
                version=record.version,
                run_id=record.run_id,
                snapshot_version=origin.snapshot.version,
                digest=used.digest,
            )
            uses[used.use].append(use)
    contents, unread = _contents(store, model, partition)
    scored, unscored = scorings(store, model, partition=partition)
    gaps += [*unread, *unscored]
    if not (versions or contents or gaps):
        raise DeclarationError(
            f"neither the ledger nor the snapshots know a model {model!r}; models in the ledger: "
            f"{', '.join(ledger.models()) or 'none'}"
        )
    return PartitionLineage(
        model=model,
        partition=partition,
        contents=contents,
        trained=tuple(uses["training"]),
        held_out=tuple(uses["holdout"]),
        scored=scored,
        gaps=tuple(gaps),
    )


def _periods(changes: Sequence[Transition | LedgerEvent], *, version: int) -> tuple[Period, ...]:
    """Return when a version held, where each change ends what the one before it began."""
    following = [*changes[1:], None]
    return tuple(
        Period(since=change.at, until=None if after is None else after.at, actor=change.actor)
        for change, after in zip(changes, following, strict=False)
        if change.version == version
    )


def _contents(
    store: SnapshotStore, model: str, partition: str
) -> tuple[tuple[PartitionContent, ...], list[str]]:
    try:
        told = [one for one in publications(store, model) if one.entry.partition == partition]
    except CorruptedDataError as error:
        return (), [str(error)]
    following = [*told[1:], None]
    return tuple(
        PartitionContent(
            rows=one.entry.rows,
            digest=one.entry.digest,
            since=one.snapshot,
            until_version=None if after is None else after.snapshot.version,
            at=one.at,
        )
        for one, after in zip(told, following, strict=False)
    ), []
