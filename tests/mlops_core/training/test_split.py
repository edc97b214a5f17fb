"""The last partitions are held out, and the split's digest names rows."""

import pytest

from mlops_core.data.documents import PartitionEntry
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import HoldoutSplit
from mlops_core.training.split import holdout_split


def entry(partition: str, *, content: str = "a") -> PartitionEntry:
    return PartitionEntry(partition=partition, rows=10, digest=content * 64)


MONTHS = [entry(f"2013-{month:02}") for month in range(1, 7)]


def test_the_last_partition_is_held_out_and_all_before_it_train() -> None:
    split = holdout_split(MONTHS, HoldoutSplit())

    assert split.training_partitions == ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05")
    assert split.holdout_partitions == ("2013-06",)


def test_the_policy_bounds_both_sides() -> None:
    split = holdout_split(MONTHS, HoldoutSplit(holdout_partitions=2, training_partitions=3))

    assert split.training_partitions == ("2013-02", "2013-03", "2013-04")
    assert split.holdout_partitions == ("2013-05", "2013-06")


def test_the_order_in_which_entries_come_does_not_matter() -> None:
    assert holdout_split(MONTHS[::-1], HoldoutSplit()) == holdout_split(MONTHS, HoldoutSplit())


def test_no_partition_is_on_both_sides() -> None:
    split = holdout_split(MONTHS, HoldoutSplit(holdout_partitions=3))

    assert not set(split.training_partitions) & set(split.holdout_partitions)


@pytest.mark.parametrize("place", [0, 5])
def test_other_rows_in_any_partition_change_the_digest(place: int) -> None:
    changed = [*MONTHS]
    changed[place] = entry(changed[place].partition, content="b")

    assert holdout_split(changed, HoldoutSplit()).digest != holdout_split(MONTHS, HoldoutSplit()).digest


def test_the_same_partitions_on_other_sides_have_another_digest() -> None:
    one = holdout_split(MONTHS, HoldoutSplit(holdout_partitions=1))
    two = holdout_split(MONTHS, HoldoutSplit(holdout_partitions=2))

    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("entries", "policy", "message"),
    [
        ([], HoldoutSplit(), r"has 0 \(none\).*ingest 2 more"),
        (MONTHS[:1], HoldoutSplit(), r"has 1 \(2013-01\).*ingest 1 more"),
        (MONTHS[:3], HoldoutSplit(holdout_partitions=3), "holds out 3 .* ingest 1 more"),
        (MONTHS[:3], HoldoutSplit(training_partitions=4), "at least 4.*ingest 2 more"),
    ],
)
def test_too_few_partitions_are_counted(
    entries: list[PartitionEntry], policy: HoldoutSplit, message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        holdout_split(entries, policy)


def test_a_partition_given_twice_is_refused() -> None:
    with pytest.raises(DeclarationError, match="each partition once"):
        holdout_split([*MONTHS, MONTHS[0]], HoldoutSplit())
