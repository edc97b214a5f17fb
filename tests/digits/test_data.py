"""Every scan is in one month, as it came."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from digits.columns import KEY, PARTITIONS, PIXELS, TARGET
from digits.data import expectations, load_scans
from mlops_core.data.expectations import run_expectations
from mlops_core.errors import DeclarationError

pytestmark = pytest.mark.slow


def test_the_months_together_are_all_scans_once_and_in_order() -> None:
    months = [load_scans(partition).to_pandas() for partition in PARTITIONS]

    together = pd.concat(months)
    np.testing.assert_array_equal(together[list(PIXELS)], load_digits().data)
    np.testing.assert_array_equal(together[TARGET], load_digits().target)
    assert together[KEY].is_unique


def test_an_unknown_month_is_named() -> None:
    with pytest.raises(DeclarationError, match="no scans of '1999-01'; there are 1998-01, "):
        load_scans("1999-01")


def test_every_month_meets_the_expectations() -> None:
    months = [load_scans(partition).to_pandas() for partition in PARTITIONS]
    # A pixel's checks ask nothing of a month as a whole, and are slow: once for all scans.
    of_pixels = [check for check in expectations() if getattr(check, "column", None) in PIXELS]
    of_months = [check for check in expectations() if check not in of_pixels]
    assert (len(of_pixels), len(of_months)) == (2 * len(PIXELS), 5)

    runs = [(of_pixels, pd.concat(months, ignore_index=True)), *((of_months, month) for month in months)]
    for checks, frame in runs:
        findings = run_expectations(checks, frame=frame)

        assert [finding.outcome for finding in findings if finding.outcome.status != "passed"] == []


def test_a_pixel_darker_than_black_and_a_lost_digit_are_found() -> None:
    frame = load_scans(PARTITIONS[0]).to_pandas()
    frame.loc[3, "pixel_2_2"] = 17
    frame = frame[frame[TARGET] != 4].reset_index(drop=True)

    findings = run_expectations(expectations(), frame=frame)

    failed = [finding.outcome.column for finding in findings if finding.outcome.status == "failed"]
    assert failed == [TARGET, "pixel_2_2"]
