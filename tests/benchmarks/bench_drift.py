"""Drift verdicts: false alarms and power, ours beside Evidently's default on the same draws.

Every window is drawn with 15 columns, some of them correlated, skewed, discrete or categorical, and compared
with a reference of 10,000 rows by both. Without drift, any column that is called drifted makes the window a
false alarm: ours may be wrong in 1 % of the windows. With drift, one normal column is shifted by half a
standard deviation, and power is how often that column is found. Evidently is asked by its own function that
chooses test and limit by default; the first window of each size goes through its whole report too, which must
say the same.

A third draw shifts the column by 0.02 standard deviations, which nobody should be woken for.
"""

import argparse
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from evidently import Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.metrics import ValueDrift
from rich.console import Console
from rich.table import Table

from mlops_core.monitoring.binning import ReferenceColumn
from mlops_core.monitoring.calibration import Calibration
from mlops_core.monitoring.drift import compare_columns
from mlops_core.monitoring.report import Verdict
from mlops_core.pipeline import MonitorPolicy

REFERENCE_ROWS = 10_000
WINDOWS_A_REFERENCE = 10
WINDOWS = {50: 100, 100: 100, 200: 100, 500: 100, 5_000: 20, 200_000: 4}
SHIFT_SD = 0.5
TINY_SHIFT_SD = 0.02
SHIFTED = "normal_0"
POLICY = MonitorPolicy(minimum_rows=50, false_alarm_rate=0.01)
_WIDTH = 110


@dataclass
class Tally:
    """What one method said of the windows of one size."""

    windows: int = 0
    false_alarms: int = 0
    columns_flagged: int = 0
    found: int = 0
    tiny_alarms: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, *, without: list[str], shifted: list[str], tiny: list[str], seconds: float) -> None:
        self.windows += 1
        self.false_alarms += bool(without)
        self.columns_flagged += len(without)
        self.found += SHIFTED in shifted
        self.tiny_alarms += bool(tiny)
        self.seconds.append(seconds)


def draw(random: np.random.Generator, rows: int, *, shift: float = 0.0) -> pd.DataFrame:
    """Draw rows of the one population; ``shift`` moves one column, in standard deviations."""
    shared = random.normal(size=rows)
    normals = {f"normal_{number}": random.normal(size=rows) for number in range(5)}
    normals[SHIFTED] = normals[SHIFTED] + shift
    return pd.DataFrame(
        {
            **normals,
            **{f"correlated_{number}": shared + 0.3 * random.normal(size=rows) for number in range(3)},
            **{f"skewed_{number}": random.lognormal(sigma=1 + number, size=rows) for number in range(2)},
            "count": random.poisson(20, size=rows),
            "gaps": np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows)),
            "carrier": random.choice(list("ABCDEF"), size=rows, p=[0.3, 0.25, 0.2, 0.15, 0.07, 0.03]),
            "origin": random.choice(["EWR", "JFK", "LGA"], size=rows),
            "rare": random.random(rows) < 0.05,
        }
    )


def ours(reference: list[ReferenceColumn], window: pd.DataFrame, *, seed: int, of: int) -> list[str]:
    """Name the columns that the library calls drifted, with the false-alarm rate shared by ``of``."""
    calibration = Calibration.of(columns=of, false_alarm_rate=POLICY.false_alarm_rate, seed=seed)
    table = pa.Table.from_pandas(window, preserve_index=False)
    columns = compare_columns(reference, table, policy=POLICY, calibration=calibration)
    return [column.name for column in columns if column.verdict is Verdict.DRIFT]


def evidentlys(reference: pd.DataFrame, window: pd.DataFrame) -> list[str]:
    """Name the columns that Evidently calls drifted by default."""
    drifted = []
    for name in window.columns:
        kind = "num" if window[name].dtype.kind in "if" else "cat"
        old, new = reference[name].dropna(), window[name].dropna()
        test = get_stattest(old, new, kind, None)
        if test(old, new, feature_type=kind, threshold=None).drifted:
            drifted.append(name)
    return drifted


def evidentlys_report(reference: pd.DataFrame, window: pd.DataFrame) -> list[str]:
    """Name the same columns by Evidently's whole report."""
    report = Report([ValueDrift(column=name) for name in window.columns], include_tests=True)
    tests = report.run(window, reference).dict()["tests"]
    return [name for name, test in zip(window.columns, tests, strict=True) if test["status"] == "FAIL"]


def measure(rows: int, windows: int, *, seed: int = 0) -> tuple[Tally, Tally]:
    """Let both judge the same windows of one size."""
    random = np.random.default_rng([seed, rows])
    own, other = Tally(), Tally()
    for number in range(windows):
        if number % WINDOWS_A_REFERENCE == 0:
            reference = draw(random, REFERENCE_ROWS)
            table = pa.Table.from_pandas(reference, preserve_index=False)
            bins = [ReferenceColumn.of(name, table.column(name)) for name in table.column_names]
            watched = [column for column in bins if column.name == SHIFTED]
        without, shifted = draw(random, rows), draw(random, rows, shift=SHIFT_SD)[[SHIFTED]]
        tiny = draw(random, rows, shift=TINY_SHIFT_SD)[[SHIFTED]]
        started = time.perf_counter()
        flagged = ours(bins, without, seed=number, of=len(bins))
        seconds = time.perf_counter() - started
        own.add(
            without=flagged,
            shifted=ours(watched, shifted, seed=number, of=len(bins)),
            tiny=ours(watched, tiny, seed=number, of=len(bins)),
            seconds=seconds,
        )
        started = time.perf_counter()
        flagged = evidentlys(reference, without)
        seconds = time.perf_counter() - started
        if number == 0 and evidentlys_report(reference, without) != flagged:
            raise AssertionError("Evidently's report says otherwise than its default test")
        other.add(
            without=flagged,
            shifted=evidentlys(reference, shifted),
            tiny=evidentlys(reference, tiny),
            seconds=seconds,
        )
    return own, other


def ratio(own: float, other: float) -> str:
    """Say how many times Evidently's figure is ours; with none of ours there is no number."""
    if own == 0:
        return "none" if other else "-"
    return f"{other / own:.0f} x"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, help="of each size up to 500 rows")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = Table(
        title=f"Drift over 15 columns, reference of {REFERENCE_ROWS:,} rows: ours / Evidently's default",
        caption="false alarms: windows without drift in which any column is flagged; flagged: columns of"
        f" those windows; power: windows whose {SHIFT_SD} sd shift is found; tiny: windows whose"
        f" {TINY_SHIFT_SD} sd shift raises an alarm. Power beside many false alarms says nothing.",
    )
    for heading in (
        "rows",
        "windows",
        "false alarms %",
        "ratio",
        "flagged %",
        "power %",
        "tiny %",
        "ms a window",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for rows, windows in WINDOWS.items():
        count = arguments.windows if arguments.windows and rows <= 500 else windows
        own, other = measure(rows, count, seed=arguments.seed)
        table.add_row(f"{rows:,}", f"{count}", *_cells(own, other))
    Console(width=_WIDTH).print(table)


def _cells(own: Tally, other: Tally) -> tuple[str, ...]:
    def both(attribute: str, *, of: int = 1) -> str:
        shares = [100 * getattr(tally, attribute) / tally.windows / of for tally in (own, other)]
        return f"{shares[0]:.1f} / {shares[1]:.1f}"

    milliseconds = [1000 * float(np.median(tally.seconds)) for tally in (own, other)]
    return (
        both("false_alarms"),
        ratio(own.false_alarms, other.false_alarms),
        both("columns_flagged", of=15),
        both("found"),
        both("tiny_alarms"),
        f"{milliseconds[0]:.0f} / {milliseconds[1]:.0f}",
    )


if __name__ == "__main__":
    main()
