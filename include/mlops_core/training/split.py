"""Which partitions train and which are held out."""

import hashlib
import json
from collections.abc import Sequence

from mlops_core.data.documents import PartitionEntry
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import HoldoutSplit
from mlops_core.training.job import SplitIdentity


def holdout_split(entries: Sequence[PartitionEntry], policy: HoldoutSplit) -> SplitIdentity:
    """Split a snapshot's partitions in time: the last are held out, those before them train.

    Parameters
    ----------
    entries
        Of one snapshot. Time order is the order of their keys, as in ``2013-01``, ``2013-02``.

    Returns
    -------
    The split; its digest covers both sides' keys and contents, so equal digests mean equal rows.

    Raises
    ------
    DeclarationError
        If there are too few partitions, or two of one key.
    """
    ordered = sorted(entries, key=lambda entry: entry.partition)
    keys = [entry.partition for entry in ordered]
    if len(set(keys)) < len(keys):
        raise DeclarationError(f"a snapshot has each partition once; got {', '.join(keys)}")
    wanted = policy.training_partitions or 1
    if len(keys) < wanted + policy.holdout_partitions:
        raise DeclarationError(
            f"the split holds out {policy.holdout_partitions} partitions and trains on at least {wanted}; "
            f"the snapshot has {len(keys)} ({', '.join(keys) or 'none'}): ingest "
            f"{wanted + policy.holdout_partitions - len(keys)} more, or change the pipeline's split"
        )
    training = ordered[: -policy.holdout_partitions]
    if policy.training_partitions is not None:
        training = training[-policy.training_partitions :]
    holdout = ordered[-policy.holdout_partitions :]
    return SplitIdentity(
        training_partitions=tuple(entry.partition for entry in training),
        holdout_partitions=tuple(entry.partition for entry in holdout),
        digest=_digest(training, holdout),
    )


def _digest(training: Sequence[PartitionEntry], holdout: Sequence[PartitionEntry]) -> str:
    sides = [[(entry.partition, entry.digest) for entry in side] for side in (training, holdout)]
    return hashlib.sha256(json.dumps(sides).encode()).hexdigest()
