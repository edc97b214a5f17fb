"""Where the card of a version lies: among its run's files, and in the report store."""

from mlops_core.reports import ReportStore

CARD_KIND = "card"
CARD_FILES = ("card.json", "card.md", "card.html")
PAGE_NAME = "card.html"


def card_folder(version: int) -> str:
    """Return where a version's card lies among its run's files."""
    return f"card/{card_key(version)}"


def card_key(version: int) -> str:
    """Return the key of a version's card in the report store."""
    return f"v{version}"


def card_page(model: str, version: int) -> str:
    """Return the path of a version's page relative to the report store."""
    return ReportStore.relative_path(pipeline=model, kind=CARD_KIND, key=card_key(version), name=PAGE_NAME)
