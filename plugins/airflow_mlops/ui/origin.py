"""Refuses changes that another site's page would make with a user's cookie.

Airflow's session cookie comes along with forms of other sites, and there is no CSRF token. A browser says
where a form comes from, and a page cannot forge that.
"""

from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.configuration import conf
from fastapi import HTTPException, Request, status


def require_same_origin(request: Request) -> None:
    """Refuse a change unless it comes from this Airflow's own pages, or carries a token and no cookie."""
    if _has_token_alone(request) or _is_same_origin(request):
        return
    raise HTTPException(
        status.HTTP_403_FORBIDDEN,
        "Nothing was changed: the request does not come from a page of this Airflow. Open the page at the"
        " address that [api] base_url names, and try again.",
    )


def _has_token_alone(request: Request) -> bool:
    scheme, _, _ = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and COOKIE_NAME_JWT_TOKEN not in request.cookies


def _is_same_origin(request: Request) -> bool:
    # The most specific answer decides; the others only count where it is missing.
    if (origin := request.headers.get("origin")) is not None:
        return origin in _own_origins(request)
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    return _origin(request.headers.get("referer", "")) in _own_origins(request)


def _own_origins(request: Request) -> set[str]:
    configured = _origin(conf.get("api", "base_url", fallback=""))
    asked = f"{request.url.scheme}://{request.headers.get('host', '')}".lower()
    return {origin for origin in (configured, asked) if origin}


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
