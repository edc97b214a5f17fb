"""Searches for groups of rows where a model is worst, and proves them on rows that were not searched.

Among thousands of groups some look bad by chance. So the rows are halved: one half proposes groups, the other
tests the few that were proposed, with their number taken into account, and gives the numbers that are shown.

References
----------
Chung, Kraska, Polyzotis, Tae and Whang (2019), "Slice finder: automated data slicing for model validation":
groups of literals, effect and significance. Halving: Cox (1975), "A note on data-splitting for the
evaluation of significance levels". Holm (1979), "A simple sequentially rejective multiple test procedure".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from mlops_core.evaluation.grouping import Groups

_FALSE_FINDINGS = 0.05
"""Chance of any false finding among all that are reported."""

_PROPOSALS_A_FINDING = 4
_WIDEST_SEARCH = 400
"""Groups of one column that are paired with each other; the worst ones where there are more."""

_SAME_SLICE = 0.5
"""Two slices that share this much of the smaller one are one finding."""

_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, kw_only=True)
class WeakSlice:
    """A group that was found.

    Parameters
    ----------
    rows
        Which rows of the half that was not searched belong to it, as places among all rows.
    excess
        Their mean loss above that of the other rows of their half.
    """

    name: str
    columns: tuple[str, ...]
    rows: np.ndarray
    excess: float


@dataclass(frozen=True, kw_only=True)
class _Literals:
    """Every group of every column, a column of a sparse table each, shape (rows, literals)."""

    members: sparse.csr_array
    of: tuple[tuple[int, int], ...]

    def rows(self, slice_: tuple[int, ...]) -> np.ndarray:
        shared = np.asarray(self.members[:, list(slice_)].sum(axis=1)).ravel()
        inside: np.ndarray = shared == len(slice_)
        return inside


def find_weak_slices(
    groups: Sequence[Groups], *, losses: np.ndarray, most: int, minimum_rows: int, seed: int
) -> tuple[WeakSlice, ...]:
    """Return groups of one or two columns whose mean loss is proved to be above that of all other rows.

    Parameters
    ----------
    groups
        A column's groups each.
    losses : shape (n,)
        Each row's.
    most
        How many groups to return at most.
    minimum_rows
        Of a group, in each half of the rows.
    seed
        Of the halving.

    Returns
    -------
    Worst first; with a chance of 5 % at most, any of them is a false finding.
    """
    halves = np.random.default_rng(seed).permutation(len(losses))
    searched, proving = np.sort(halves[: len(losses) // 2]), np.sort(halves[len(losses) // 2 :])
    if most == 0 or not groups or len(searched) < 2 * minimum_rows:
        return ()
    literals = _literals(groups, rows=len(losses))
    proposed = _propose(
        _at(literals, searched),
        losses=losses[searched],
        most=_PROPOSALS_A_FINDING * most,
        minimum_rows=minimum_rows,
    )
    proved = _prove(_at(literals, proving), proposed, losses=losses[proving], minimum_rows=minimum_rows)
    found = [
        WeakSlice(
            name=" and ".join(groups[column].names[code] for column, code in places),
            columns=tuple(groups[column].column for column, _ in places),
            rows=proving[inside],
            excess=excess,
        )
        for places, inside, excess in proved
    ]
    return tuple(sorted(found, key=lambda weak: -weak.excess)[:most])


def _literals(groups: Sequence[Groups], *, rows: int) -> _Literals:
    starts = np.cumsum([0, *(len(one.labels) for one in groups)])
    columns = np.concatenate([one.codes + start for one, start in zip(groups, starts, strict=False)])
    places = np.tile(np.arange(rows), len(groups))
    members = sparse.csr_array((np.ones(len(places)), (places, columns)), shape=(rows, int(starts[-1])))
    of = tuple((column, code) for column, one in enumerate(groups) for code in range(len(one.labels)))
    return _Literals(members=members, of=of)


def _at(literals: _Literals, rows: np.ndarray) -> _Literals:
    return _Literals(members=literals.members[rows], of=literals.of)


def _propose(
    literals: _Literals, *, losses: np.ndarray, most: int, minimum_rows: int
) -> list[tuple[int, ...]]:
    """Return groups, each as its literals, whose excess loss is surest above zero; no two are alike."""
    members = literals.members
    single = _excess(
        members.sum(axis=0), members.T @ losses, members.T @ losses**2, losses=losses, minimum=minimum_rows
    )
    paired = np.sort(np.argsort(-single, kind="stable")[:_WIDEST_SEARCH])
    some = members[:, paired]
    weighted, squared = some.multiply(losses[:, None]), some.multiply(losses[:, None] ** 2)
    pairs = _excess(
        (some.T @ some).toarray(),
        (some.T @ weighted).toarray(),
        (some.T @ squared).toarray(),
        losses=losses,
        minimum=minimum_rows,
    )
    ranked: list[tuple[float, tuple[int, ...]]] = [
        (float(excess), (place,)) for place, excess in enumerate(single) if excess > 0
    ]
    first, second = np.nonzero(np.triu(pairs > 0, k=1))
    # Two literals of one column share no row, so that minimum_rows has left them out.
    ranked += [
        (float(pairs[one, other]), (int(paired[one]), int(paired[other])))
        for one, other in zip(first.tolist(), second.tolist(), strict=True)
    ]
    ranked.sort(key=lambda item: (-item[0], len(item[1]), item[1]))
    return _unalike(literals, [slice_ for _, slice_ in ranked], most=most)


def _excess(
    rows: np.ndarray, total: np.ndarray, squares: np.ndarray, *, losses: np.ndarray, minimum: int
) -> np.ndarray:
    """Return the mean loss above that of all other rows, less two standard errors; -inf of too few rows."""
    rows, others = np.asarray(rows, dtype=np.float64), len(losses) - np.asarray(rows, dtype=np.float64)
    usable = (rows >= minimum) & (others >= minimum)
    inside, outside = np.where(usable, rows, 1.0), np.where(usable, others, 1.0)
    mean, mean_outside = total / inside, (losses.sum() - total) / outside
    variance = np.maximum(squares / inside - mean**2, 0) / inside
    variance += np.maximum(((losses**2).sum() - squares) / outside - mean_outside**2, 0) / outside
    return np.where(usable, mean - mean_outside - _STANDARD_ERRORS * np.sqrt(variance), -np.inf)


def _unalike(literals: _Literals, ranked: Sequence[tuple[int, ...]], *, most: int) -> list[tuple[int, ...]]:
    kept: list[tuple[tuple[int, ...], np.ndarray]] = []
    for slice_ in ranked[: 50 * most]:
        rows = literals.rows(slice_)
        smaller_share = ((rows & other).sum() / min(rows.sum(), other.sum()) for _, other in kept)
        if all(share < _SAME_SLICE for share in smaller_share):
            kept.append((slice_, rows))
        if len(kept) == most:
            break
    return [slice_ for slice_, _ in kept]


def _prove(
    literals: _Literals, proposed: Sequence[tuple[int, ...]], *, losses: np.ndarray, minimum_rows: int
) -> list[tuple[list[tuple[int, int]], np.ndarray, float]]:
    """Test each proposal on these rows by Welch's t, and keep what holds after Holm's correction."""
    tested, rounding = [], 1e-9 * float(np.abs(losses).mean())
    for slice_ in proposed:
        inside = literals.rows(slice_)
        if inside.sum() < minimum_rows:
            continue
        within, beyond = losses[inside], losses[~inside]
        excess = float(within.mean() - beyond.mean())
        tested.append((_chance(within, beyond) if excess > rounding else 1.0, slice_, inside, excess))
    tested.sort(key=lambda item: item[0])
    proved = []
    for place, (chance, slice_, inside, excess) in enumerate(tested):
        if not chance <= _FALSE_FINDINGS / (len(tested) - place):
            break
        proved.append(([literals.of[literal] for literal in slice_], np.flatnonzero(inside), excess))
    return proved


def _chance(within: np.ndarray, beyond: np.ndarray) -> float:
    """Return the chance of so great an excess where there is none."""
    test = stats.ttest_ind_from_stats(
        *(within.mean(), within.std(ddof=1), len(within)),
        *(beyond.mean(), beyond.std(ddof=1), len(beyond)),
        equal_var=False,
        alternative="greater",
    )
    return float(test.pvalue)
