"""Scans of handwritten digits: 8 by 8 pixels, and the digit that was meant.

Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten Digits"; 1,797 of them come with scikit-learn.
Later scans are by other writers than the earlier ones, as they would be in use.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from digits.columns import DARKEST, KEY, PARTITIONS, PIXELS, TARGET
from mlops_core.errors import DeclarationError

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

_FEWEST, _MOST = 150, 250


def load_scans(partition: str) -> pa.Table:
    """Return the scans of a month: key, pixels and the digit, a row a scan.

    Raises
    ------
    DeclarationError
        If there is no such month.
    """
    if partition not in PARTITIONS:
        raise DeclarationError(f"there are no scans of {partition!r}; there are {', '.join(PARTITIONS)}")
    from sklearn.datasets import load_digits

    scans = load_digits()
    places = np.array_split(np.arange(len(scans.target)), len(PARTITIONS))[PARTITIONS.index(partition)]
    pixels = scans.data[places].astype(np.int64)
    return pa.table(
        {
            KEY: [f"scan-{place:04}" for place in places],
            **{name: pixels[:, column] for column, name in enumerate(PIXELS)},
            TARGET: scans.target[places].astype(np.int64),
        }
    )


def expectations() -> "list[Expectation]":
    """Return what a month of scans must be like."""
    # Great Expectations takes seconds to import, and loading needs none of it.
    import great_expectations.expectations as gxe

    checks: list[Expectation] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=_FEWEST, max_value=_MOST),
        gxe.ExpectColumnValuesToNotBeNull(column=KEY),
        gxe.ExpectColumnValuesToBeUnique(column=KEY),
        gxe.ExpectColumnValuesToNotBeNull(column=TARGET),
        gxe.ExpectColumnDistinctValuesToEqualSet(column=TARGET, value_set=list(range(10))),
    ]
    for name in PIXELS:
        checks.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        checks.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=DARKEST))
    return checks
