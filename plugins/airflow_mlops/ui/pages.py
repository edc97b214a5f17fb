"""Renders the pages: everything escaped, no scripts, and a policy under which the browser runs none."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from mlops_core.policies import LONGEST_REASON, SHORTEST_REASON

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("h", 3600), ("min", 60))


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Render a page.

    Besides what is given, templates know ``base`` (where this app is mounted), ``airflow`` (the address of
    the UI), and ``embedded``: whether the page is shown inside Airflow's frame, which lets no link lead out
    of itself.
    """
    base = request.scope.get("root_path", "")
    text = (
        _environment()
        .get_template(template)
        .render(
            base=base,
            airflow=base.removesuffix("/mlops"),
            embedded=request.headers.get("sec-fetch-dest") == "iframe",
            **context,
        )
    )
    return HTMLResponse(text, status_code=status_code, headers=_HEADERS)


def show_message(request: Request, *, status_code: int, title: str, message: str, back: str) -> HTMLResponse:
    """Render a page that says one thing and leads back."""
    return render(
        request, "message.html.jinja", status_code=status_code, title=title, message=message, back=back
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_mlops.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(shortest_reason=SHORTEST_REASON, longest_reason=LONGEST_REASON)
    environment.filters["ago"] = ago
    environment.filters["instant"] = lambda at: at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    environment.filters["exactly"] = lambda at: at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return environment


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago an instant was, or in how long it will be, in its largest unit."""
    seconds = (now - at).total_seconds()
    for name, length in _UNITS:
        count = int(abs(seconds) // length)
        if count:
            unit = f"{name}s" if count > 1 and name not in {"h", "min"} else name
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "just now"
