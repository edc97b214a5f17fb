"""The engine's log stream as lines: frames are joined, and what is sent again is told apart. Pure."""

import struct
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

HEADER_BYTES = 8
_LONGEST_LINE = 1024 * 1024
_NANOSECONDS = 1_000_000_000
_OVERLAP = 1 * _NANOSECONDS


class Entry(NamedTuple):
    """One line; ``stream`` is 1 for stdout and 2 for stderr."""

    stream: int
    timestamp: str
    text: str


def read_header(header: bytes) -> tuple[int, int]:
    """Return a frame's stream and its length in bytes."""
    stream, length = struct.unpack(">BxxxL", header)
    return stream, length


class Assembler:
    """Joins frames into lines: the engine cuts a line every 16 kB, and writes its time before each part."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, bytearray]] = {}

    def feed(self, stream: int, frame: bytes) -> Iterator[Entry]:
        """Take one frame and give the line that it completes, if it does."""
        stamp, _, part = frame.partition(b" ")
        timestamp, text = self._open.pop(stream, (stamp.decode(), bytearray()))
        text += part
        if part.endswith(b"\n") or len(text) > _LONGEST_LINE:
            yield _entry(stream, timestamp, text)
        else:
            self._open[stream] = (timestamp, text)

    def flush(self) -> Iterator[Entry]:
        """Give the lines that their process has not ended."""
        for stream, (timestamp, text) in self._open.items():
            yield _entry(stream, timestamp, text)
        self._open.clear()


class Shown:
    """Which lines have been shown, so that each is shown once although a stream was begun anew.

    The two streams of a process may be stored slightly out of order, and two lines may carry the same time.
    So a new stream begins one second before the newest line shown, and what was shown of that second is
    dropped by count.

    Parameters
    ----------
    since
        Time stamp of the last line that an earlier follower has shown: what is not newer is dropped.
    """

    def __init__(self, since: str | None) -> None:
        self._floor = nanoseconds(since) if since else 0
        self._newest = self._floor
        self._recent: deque[tuple[int, int]] = deque()
        self._replayed: Counter[tuple[int, int]] = Counter()

    def begin(self) -> str | None:
        """Begin a new stream; return where it must begin, as the engine takes it; None for the beginning."""
        cut = self._newest - _OVERLAP
        self._replayed = Counter(line for line in self._recent if line[0] >= cut)
        if not self._newest:
            return None
        cut = max(cut, self._floor)
        return f"{cut // _NANOSECONDS}.{cut % _NANOSECONDS:09d}"

    def is_new(self, entry: Entry) -> bool:
        """Whether a line has not been shown yet; it counts as shown from now on."""
        at = nanoseconds(entry.timestamp)
        if at <= self._floor:
            return False
        line = (at, hash((entry.stream, entry.text)))
        if self._replayed[line] > 0:
            self._replayed[line] -= 1
            return False
        self._recent.append(line)
        self._newest = max(self._newest, at)
        while self._recent[0][0] < self._newest - _OVERLAP:
            self._recent.popleft()
        return True


def nanoseconds(timestamp: str) -> int:
    """Return an RFC 3339 time as nanoseconds since 1970: the standard library knows no nanoseconds."""
    whole, _, rest = timestamp.partition(".")
    digits = "".join(character for character in rest[:9] if character.isdigit())
    zone = rest[len(digits) :] if rest else ""
    seconds = int(datetime.fromisoformat(f"{whole}{zone}").timestamp())
    return seconds * _NANOSECONDS + int(digits.ljust(9, "0"))


def _entry(stream: int, timestamp: str, text: bytearray) -> Entry:
    return Entry(stream, timestamp, text.decode(errors="replace").removesuffix("\n").removesuffix("\r"))
