"""Names that become folders: checked, because partitions come from whoever triggers a run."""

import re

from pydantic import TypeAdapter, ValidationError

from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Partition

_TABLE_NAME = re.compile(r"(?P<pipeline>[a-z][a-z0-9_]{0,62})(?:/(?P<table>[a-z][a-z0-9_]{0,62}))?")
_PARTITION: TypeAdapter[str] = TypeAdapter(Partition)


def checked_partition(partition: str) -> str:
    """Return a partition's key if it is safe as a folder's name.

    Raises
    ------
    DeclarationError
        If it is not, for example ``../x``.
    """
    try:
        return _PARTITION.validate_python(partition)
    except ValidationError as error:
        raise DeclarationError(
            f"partition {partition!r} is no key; use 1 to 64 letters, digits, '_', '.', ':' and '-', "
            "the first a letter or a digit"
        ) from error


def split_table_name(name: str) -> tuple[str, str | None]:
    """Return the pipeline of a table's name and the rest of it, None for the pipeline's own snapshots.

    Raises
    ------
    DeclarationError
        If it is not ``<pipeline>`` or ``<pipeline>/<table>``.
    """
    match = _TABLE_NAME.fullmatch(name)
    if match is None:
        raise DeclarationError(f"{name!r} is no table; write '<pipeline>' or '<pipeline>/<table>'")
    return match["pipeline"], match["table"]
