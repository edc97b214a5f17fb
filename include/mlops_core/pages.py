"""One style of HTML page for every report: self-contained, escaped, without scripts, light and dark.

A page is a title and sections; a section is a heading and blocks. Values come from data that others wrote,
so nothing is ever marked as safe HTML: Jinja escapes all of it, images are data URIs inside ``<img>``, and
the page carries a content security policy that forbids scripts and the network.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

Verdict = Literal["pass", "fail", "warn", "none"]
"""How a badge looks: green, red, amber, grey."""


@dataclass(frozen=True)
class Badge:
    """A verdict in a colour, with the word that says it (a colour alone is not readable by all)."""

    verdict: Verdict
    text: str


Cell = str | int | float | bool | None | Badge
"""What a table may hold. ``None`` shows as a dash, a float with four significant digits."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a header. Columns of numbers are right-aligned."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values, a line each."""

    items: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Preformatted:
    """Text whose spaces and line ends matter: a traceback, JSON, a matrix."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture, embedded. An SVG inside ``<img>`` runs no scripts."""

    content: bytes
    media_type: Literal["image/png", "image/svg+xml"]
    alternative: str

    @property
    def data_uri(self) -> str:
        """The picture as a ``data:`` address."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode('ascii')}"


Block = Table | Facts | Text | Preformatted | Image


@dataclass(frozen=True)
class Section:
    """A heading, an optional verdict beside it, and blocks in order."""

    heading: str
    blocks: Sequence[Block]
    badge: Badge | None = None


def page(title: str, *, subtitle: str = "", badge: Badge | None = None, sections: Sequence[Section]) -> str:
    """Render one HTML document.

    Parameters
    ----------
    title
        Also the document's title in the browser.
    subtitle
        One line below the title.
    badge
        The verdict of the whole page, beside the title.
    sections
        In order.
    """
    return _template().render(title=title, subtitle=subtitle, badge=badge, sections=sections)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = format_cell
    environment.tests["badge"] = lambda value: isinstance(value, Badge)
    environment.tests["quantity"] = _is_quantity
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment.get_template("page.html.jinja")


def _is_quantity(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def format_cell(value: Cell) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return "\N{EN DASH}"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            # A float that is a whole number of moderate size reads better without an exponent.
            return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
        case _:
            return str(value)
