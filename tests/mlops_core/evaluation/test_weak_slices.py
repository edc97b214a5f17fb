import numpy as np
import pandas as pd
import pytest

from mlops_core.evaluation.grouping import Groups, group
from mlops_core.evaluation.weak_slices import find_weak_slices

ROWS = 4000


def columns(random: np.random.Generator, *, count: int = 12, rows: int = ROWS) -> list[Groups]:
    values = random.integers(5, size=(rows, count))
    frame = pd.DataFrame({f"x{place}": [f"v{value}" for value in values[:, place]] for place in range(count)})
    return [group(frame, name) for name in frame]


def holding(groups: Groups, label: str) -> np.ndarray:
    return groups.codes == groups.labels.index(label)


def test_losses_that_depend_on_nothing_have_hardly_ever_a_weak_slice() -> None:
    groups = columns(np.random.default_rng(0), count=6, rows=1000)

    found = [
        find_weak_slices(groups, losses=losses, most=5, minimum_rows=20, seed=seed)
        for seed, losses in enumerate(np.random.default_rng(1).exponential(size=(30, 1000)))
    ]

    # One in twenty is allowed to err; six of thirty would come with a chance of one in two hundred.
    assert sum(map(bool, found)) < 6


@pytest.mark.parametrize(("first", "last"), [("x0", "x1"), ("x0", "x11")], ids=["near", "far"])
def test_a_planted_weak_pair_is_found_with_its_honest_excess(first: str, last: str) -> None:
    random = np.random.default_rng(3)
    groups = columns(random)
    by_name = {one.column: one for one in groups}
    weak = holding(by_name[first], "v1") & holding(by_name[last], "v2")
    losses = random.exponential(size=ROWS) + 1.5 * weak

    found = find_weak_slices(groups, losses=losses, most=5, minimum_rows=50, seed=0)

    assert found[0].name == f"{first} = v1 and {last} = v2"
    assert found[0].columns == (first, last)
    assert weak[found[0].rows].all()
    others = np.setdiff1d(proving_half(seed=0), found[0].rows)
    assert found[0].excess == pytest.approx(losses[found[0].rows].mean() - losses[others].mean())


def proving_half(*, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(ROWS)[ROWS // 2 :]


def test_a_planted_weak_value_is_one_finding_and_not_its_many_pairs() -> None:
    random = np.random.default_rng(4)
    groups = columns(random)
    losses = random.exponential(size=ROWS) + 1.5 * holding(groups[7], "v3")

    found = find_weak_slices(groups, losses=losses, most=5, minimum_rows=50, seed=0)

    assert [one.name for one in found] == ["x7 = v3"]


def test_numbers_come_from_the_half_that_was_not_searched() -> None:
    random = np.random.default_rng(5)
    groups = columns(random)
    losses = random.exponential(size=ROWS) + 1.5 * holding(groups[0], "v0")
    searched = np.random.default_rng(0).permutation(ROWS)[: ROWS // 2]

    [found] = find_weak_slices(groups, losses=losses, most=1, minimum_rows=50, seed=0)

    assert not np.intersect1d(found.rows, searched).size


def test_a_slice_that_is_weak_in_the_searched_half_alone_is_not_found() -> None:
    random = np.random.default_rng(6)
    groups = columns(random)
    losses = random.exponential(size=ROWS)
    searched = np.random.default_rng(0).permutation(ROWS)[: ROWS // 2]
    losses[searched] += 1.5 * holding(groups[0], "v0")[searched]

    assert find_weak_slices(groups, losses=losses, most=5, minimum_rows=50, seed=0) == ()


def test_slices_with_too_few_rows_are_not_found() -> None:
    random = np.random.default_rng(7)
    groups = columns(random)
    losses = random.exponential(size=ROWS) + 3 * (holding(groups[0], "v1") & holding(groups[1], "v2"))

    found = find_weak_slices(groups, losses=losses, most=5, minimum_rows=150, seed=0)

    assert all(len(one.rows) >= 150 for one in found)
    assert all(len(one.columns) == 1 for one in found)


def test_losses_without_any_spread_are_compared_all_the_same() -> None:
    groups = columns(np.random.default_rng(8))
    weak = holding(groups[0], "v0")

    [found] = find_weak_slices(groups, losses=weak * 1.0, most=1, minimum_rows=50, seed=0)

    assert (found.name, found.excess) == ("x0 = v0", 1.0)
    for alike in (np.ones(ROWS), 1 + 2e-16 * weak):
        assert find_weak_slices(groups, losses=alike, most=1, minimum_rows=50, seed=0) == ()


@pytest.mark.parametrize(("most", "rows"), [(0, ROWS), (5, 199)], ids=["none asked for", "too few rows"])
def test_nothing_is_searched_where_nothing_can_be_proved(most: int, rows: int) -> None:
    groups = columns(np.random.default_rng(9), rows=rows)
    losses = 1.0 * holding(groups[0], "v0")

    assert find_weak_slices(groups, losses=losses, most=most, minimum_rows=50, seed=0) == ()
