"""Names that are safe wherever they are used: as a DAG id, a folder, a column, a label. Light."""

from typing import Annotated

from pydantic import StringConstraints

from mlops_core.declaration import PATTERN_WORDS

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
PARTITION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
PATTERN_WORDS[NAME_PATTERN] = "use a lower-case letter, then up to 62 lower-case letters, digits and '_'"
PATTERN_WORDS[PARTITION_PATTERN] = (
    "use a letter or digit, then up to 63 letters, digits, '_', '.', ':' and '-'"
)

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A lower-case identifier: safe as a DAG id, a table's folder and a registered model's name."""

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Partition = Annotated[str, StringConstraints(pattern=PARTITION_PATTERN)]
"""A partition's key, for example ``2013-07``: no slash, so that it is safe as a folder's name."""

MetricName = Annotated[str, StringConstraints(min_length=1)]
