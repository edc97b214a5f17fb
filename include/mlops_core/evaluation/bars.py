"""Horizontal bars as a small SVG, readable on light and dark paper; every text in it is escaped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from mlops_core.evaluation.wording import number

_ROW, _NAME_WIDTH, _BAR_WIDTH, _VALUE_WIDTH = 22, 230, 300, 80
_LONGEST_NAME = 36
_INK = "#7a8699"
_MORE, _LESS = "#3b76d6", "#d6743b"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a name, a finite number that may be negative, and a mark such as the champion's number."""

    name: str
    value: float
    mark: float | None = None


def bar_chart(bars: Sequence[Bar], *, sign: str = "") -> bytes:
    """Draw a bar a line; negative ones go left, in another colour, and say so by their number.

    Parameters
    ----------
    bars
        From top to bottom.
    sign
        ``"+"`` shows the sign of positive numbers too.
    """
    numbers = [0.0, *(bar.value for bar in bars), *(bar.mark for bar in bars if bar.mark is not None)]
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0
    width, height = _NAME_WIDTH + _BAR_WIDTH + _VALUE_WIDTH, _ROW * len(bars) + 8

    def across(value: float) -> float:
        return _NAME_WIDTH + (value - low) / span * _BAR_WIDTH

    tops = range(4, height, _ROW)
    rows = "".join(_row(bar, top=top, across=across, sign=sign) for bar, top in zip(bars, tops, strict=False))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">'
        f'{rows}<path d="M{across(0):.1f} 0V{height}" stroke="{_INK}"/></svg>'
    ).encode()


def _row(bar: Bar, *, top: float, across: Callable[[float], float], sign: str) -> str:
    start, end = sorted((across(0), across(bar.value)))
    middle = top + _ROW / 2 + 4
    colour = _MORE if bar.value >= 0 else _LESS
    mark = ""
    if bar.mark is not None:
        place = across(bar.mark)
        mark = f'<path d="M{place:.1f} {top + 2}V{top + _ROW - 2}" stroke="{_LESS}" stroke-width="3"/>'
    return (
        f'<text x="{_NAME_WIDTH - 8}" y="{middle}" text-anchor="end">{_text(bar.name)}</text>'
        f'<rect x="{start:.1f}" y="{top + 4}" width="{max(end - start, 0.5):.1f}" height="{_ROW - 8}"'
        f' rx="2" fill="{colour}"/>{mark}'
        f'<text x="{_NAME_WIDTH + _BAR_WIDTH + 8}" y="{middle}">{number(bar.value, sign=sign)}</text>'
    )


def _text(name: str) -> str:
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    # XML has no place for control characters, not even escaped.
    return escape(
        "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in short)
    )
