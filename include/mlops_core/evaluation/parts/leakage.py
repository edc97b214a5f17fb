"""Signs of leakage: one feature that explains the target alone, held-out rows that were trained on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.errors import EmptySampleError, EvaluationError
from mlops_core.evaluation.examination import Examination, Finding
from mlops_core.evaluation.feature_power import feature_powers
from mlops_core.evaluation.sections import FeaturePower, LeakageSection
from mlops_core.models.frames import conform


def measure(examination: Examination) -> Finding:
    """Try every feature alone on training rows, and look for the held-out rows among them.

    The partitions are read one after the other, so that memory is that of the largest.

    Raises
    ------
    EmptySampleError
        If no training or held-out row has a target.
    EvaluationError
        If the policy is not declared, or the sampled rows are too few of some class.
    """
    policy = examination.pipeline.evaluation.leakage
    if policy is None:
        raise EvaluationError("evaluation.leakage is not declared")
    split, seed = examination.plan.split, examination.pipeline.seed
    held_out = np.concatenate([rows.digests for rows in _read(examination, split.holdout_partitions)])
    seen = np.zeros(len(held_out), dtype=bool)
    chosen = _Sample(_counts(examination), rows=policy.rows, seed=seed)
    for rows in _read(examination, split.training_partitions):
        seen |= np.isin(held_out, rows.digests)
        chosen.take(rows)
    if not held_out.size or not chosen.rows:
        raise EmptySampleError("no training row, or no held-out row, has a known target")
    features, target = chosen.frame()
    powers = feature_powers(features, target, task=examination.pipeline.task, seed=seed)
    ordered = sorted(powers.items(), key=lambda item: (-item[1], item[0]))
    document = LeakageSection(
        rows=len(target),
        powers=tuple(FeaturePower(feature=name, power=power) for name, power in ordered),
        holdout_rows=len(held_out),
        overlapping_rows=int(seen.sum()),
        overlap=float(seen.mean()),
    )
    return Finding(document=document)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Labelled rows of one partition: their ``places`` among all of its rows, and a digest of each."""

    features: pd.DataFrame
    target: pa.ChunkedArray
    places: np.ndarray
    count: int
    digests: np.ndarray


class _Sample:
    """Gathers rows that were chosen before any was read, out of partition after partition."""

    def __init__(self, total: int, *, rows: int, seed: int) -> None:
        wanted = min(rows, total)
        self._chosen = np.random.default_rng(seed).choice(total, size=wanted, replace=False)
        self._first = 0
        self._features: list[pd.DataFrame] = []
        self._targets: list[pa.ChunkedArray] = []

    @property
    def rows(self) -> int:
        """How many have a target."""
        return sum(len(target) for target in self._targets)

    def take(self, rows: _Rows) -> None:
        """Take what was chosen of the next partition."""
        taken = np.flatnonzero(np.isin(rows.places + self._first, self._chosen))
        self._first += rows.count
        self._features.append(rows.features.iloc[taken])
        self._targets.append(rows.target.take(pa.array(taken)))

    def frame(self) -> tuple[pd.DataFrame, pd.Series]:
        """Return features and target of the chosen rows."""
        target = pa.chunked_array([chunk for part in self._targets for chunk in part.chunks])
        return pd.concat(self._features, ignore_index=True), target.to_pandas()


def _counts(examination: Examination) -> int:
    training = set(examination.plan.split.training_partitions)
    entries = examination.store.partitions(examination.plan.snapshot)
    return sum(entry.rows for entry in entries if entry.partition in training)


def _read(examination: Examination, partitions: tuple[str, ...]) -> Iterator[_Rows]:
    pipeline, types = examination.pipeline, examination.challenger.model.features
    named = (*types, pipeline.target, *(() if pipeline.key is None else (pipeline.key,)))
    for partition in partitions:
        table = examination.store.read(
            examination.plan.snapshot, partitions=[partition], columns=list(dict.fromkeys(named))
        )
        known = _known(table[pipeline.target])
        labelled = table.filter(known)
        features = conform(labelled.select(list(types)).to_pandas(), types)
        # As text, because a column's type may differ from partition to partition, and gaps change it.
        others = {name: labelled[name].cast(pa.string()).to_pandas() for name in named[len(types) :]}
        yield _Rows(
            features=features,
            target=labelled[pipeline.target],
            places=np.flatnonzero(known.to_numpy(zero_copy_only=False)),
            count=table.num_rows,
            digests=pd.util.hash_pandas_object(features.assign(**others), index=False).to_numpy(),
        )


def _known(target: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a row's target is known; Arrow keeps a float's NaN apart from a missing value."""
    return pc.invert(pc.is_null(target, nan_is_null=True))
