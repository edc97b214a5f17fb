import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.containers.logs import Assembler, Entry, Shown, nanoseconds


def stamp(at: int) -> str:
    return f"2026-01-01T00:00:{at // 1_000_000_000:02d}.{at % 1_000_000_000:09d}Z"


def test_parts_of_a_line_are_joined_for_each_stream_by_itself() -> None:
    assembler = Assembler()
    frames = [(1, b"T1 one "), (2, b"T2 error\n"), (1, "T1 twö\n".encode()[:-2]), (1, b"T1 \xb6\n")]

    entries = [entry for stream, frame in frames for entry in assembler.feed(stream, frame)]

    assert entries == [Entry(2, "T2", "error"), Entry(1, "T1", "one twö")]


def test_line_without_an_end_is_given_at_the_end() -> None:
    assembler = Assembler()

    assert list(assembler.feed(1, b"T1 open")) == []
    assert list(assembler.flush()) == [Entry(1, "T1", "open")]
    assert list(assembler.flush()) == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        ("1970-01-01T01:00:01.123456789+01:00", 1_123_456_789),
    ],
)
def test_time_is_read_to_the_nanosecond(written: str, expected: int) -> None:
    assert nanoseconds(written) == expected


@given(
    times=st.lists(st.integers(0, 5_000_000_000), min_size=1, max_size=60),
    wobble=st.lists(st.integers(0, 900_000_000), min_size=60, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_cut_streams_lose_nothing_and_show_nothing_twice(
    times: list[int], wobble: list[int], cuts: list[int]
) -> None:
    # Stored almost in order, with equal lines at equal times among them.
    stored = [
        Entry(1, stamp(at), "same")
        for _, at in sorted((at + w, at) for at, w in zip(times, wobble, strict=False))
    ]
    shown = Shown(None)
    seen: list[Entry] = []

    for cut in [*cuts, len(stored)]:
        since = shown.begin()
        first = 0 if since is None else _nanoseconds(since)
        stream = [entry for entry in stored if nanoseconds(entry.timestamp) >= first]
        seen += [entry for entry in stream[:cut] if shown.is_new(entry)]

    assert sorted(seen) == sorted(stored)


def test_lines_up_to_what_an_earlier_follower_has_shown_are_dropped() -> None:
    shown = Shown(stamp(2_000_000_000))
    entries = [Entry(1, stamp(at), "x") for at in (1_999_999_999, 2_000_000_000, 2_000_000_001)]

    assert [shown.is_new(entry) for entry in entries] == [False, False, True]


def _nanoseconds(since: str) -> int:
    seconds, _, fraction = since.partition(".")
    return int(seconds) * 1_000_000_000 + int(fraction)
