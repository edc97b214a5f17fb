"""A page's sections as Markdown. What comes from data is escaped: it is text, never a link, tag or table."""

import re
from collections.abc import Iterator, Sequence

from mlops_core.pages import Badge, Block, Cell, Facts, Image, Preformatted, Section, Table, Text, format_cell

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$!])")
# At a line's start these make lists, headings and rules; elsewhere they are themselves.
_LEADING = re.compile(r"^(\s*)(\d*)([-+=.)])")
# What some readers turn into links by themselves.
_AUTOLINK = re.compile(r"(?i)(?<=[a-z])(:)(?=//)|(?<=\bwww)(\.)|(@)")


def markdown(title: str, *, subtitle: str, badge: Badge, sections: Sequence[Section]) -> str:
    """Return a document with the same content as the page of the same arguments."""
    lines = [f"# {escape(title)}", "", f"{escape(subtitle)} **{escape(badge.text)}**"]
    for section in sections:
        verdict = f" ({escape(section.badge.text)})" if section.badge else ""
        lines += ["", f"## {escape(section.heading)}{verdict}"]
        for block in section.blocks:
            lines += ["", *_lines(block)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    # Also line ends, and marks that change the direction of what follows.
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return _AUTOLINK.sub(lambda found: f"\\{found[0]}", _SPECIAL.sub(r"\\\1", plain))


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield _LEADING.sub(r"\1\2\\\3", escape(text))
        case Facts(items=items):
            yield from _table(("", ""), items)
        case Table(header=header, rows=rows, caption=caption):
            if caption:
                yield from (escape(caption), "")
            if rows:
                yield from _table(header, rows)
            else:
                yield "Nothing to show."
        case Preformatted(text):
            # Indented, so that no fence inside can end it.
            yield from (f"    {line}" for line in text.splitlines())
        case Image(alternative=alternative):
            yield escape(f"(picture: {alternative})")


def _table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    yield _row(header)
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[Cell]) -> str:
    shown = [cell.text if isinstance(cell, Badge) else format_cell(cell) for cell in cells]
    return f"| {' | '.join(escape(cell) for cell in shown)} |"
