"""Which version scored which partition, read from the tables of predictions themselves."""

from mlops_core.data.history import Publication, publications
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, DataRejectedError, SnapshotMissingError
from mlops_core.lineage.documents import Scoring
from mlops_core.predictions import DIGEST_COLUMN, VERSION_COLUMN, predictions_table_of


def scorings(
    store: SnapshotStore, pipeline: str, *, partition: str | None = None
) -> tuple[tuple[Scoring, ...], list[str]]:
    """Return every table of predictions that was published, oldest first, and what could not be read.

    Parameters
    ----------
    partition
        All if None.
    """
    try:
        told = publications(store, predictions_table_of(pipeline))
    except CorruptedDataError as error:
        return (), [str(error)]
    newest = {one.entry.partition: one.snapshot.version for one in told}
    found: list[Scoring] = []
    gaps: list[str] = []
    for one in told:
        if partition is not None and one.entry.partition != partition:
            continue
        try:
            found.append(_read(store, one, replaced=newest[one.entry.partition] != one.snapshot.version))
        except (CorruptedDataError, DataRejectedError, SnapshotMissingError) as error:
            gaps.append(f"predictions of {one.entry.partition} cannot be read: {error}")
    return tuple(found), gaps


def _read(store: SnapshotStore, publication: Publication, *, replaced: bool) -> Scoring:
    entry = publication.entry
    first = store.read(
        publication.snapshot, partitions=[entry.partition], columns=[VERSION_COLUMN, DIGEST_COLUMN]
    ).slice(0, 1)
    return Scoring(
        partition=entry.partition,
        version=first[VERSION_COLUMN][0].as_py(),
        model_digest=first[DIGEST_COLUMN][0].as_py(),
        rows=entry.rows,
        predictions=publication.snapshot,
        at=publication.at,
        replaced=replaced,
    )
