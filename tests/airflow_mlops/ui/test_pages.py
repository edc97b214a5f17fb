"""Instants as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from airflow_mlops.ui.pages import ago

NOW = datetime(2013, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=30), "1 month ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(hours=-5), "in 5 h"),
        (timedelta(days=-3), "in 3 days"),
    ],
)
def test_an_instant_is_told_in_its_largest_unit(past: timedelta, said: str) -> None:
    assert ago(NOW - past, NOW) == said
