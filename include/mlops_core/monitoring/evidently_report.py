"""Evidently's report of a window, for its charts. Its verdicts are never used.

Its limits do not grow with the noise of a small window and say drift of most columns there, so the decision
is made elsewhere; its page is what many people know how to read.
"""

import logging
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_core.monitoring.binning import ReferenceColumn, is_all_missing, kind_of

_ROWS = 5_000
"""Of each side. Its time grows with the rows, and a chart does not gain from more."""

log = logging.getLogger(__name__)


def render_evidently(
    columns: Sequence[ReferenceColumn], *, reference: pa.Table, current: pa.Table, seed: int
) -> str | None:
    """Return Evidently's drift report as HTML, or None if it cannot be made of these rows.

    Parameters
    ----------
    columns
        That may be shown. Left out are those that a side lacks, has no values of, or has as another type.
    reference
        Sampled rows of the reference.
    current
        The window; a sample of it is shown.
    seed
        Of the samples.
    """
    shown = [column for column in columns if _is_on_both(column, reference=reference, current=current)]
    if not shown:
        return None
    names = [column.name for column in shown]
    frames = [_sample(table, seed=seed).select(names).to_pandas() for table in (current, reference)]
    try:
        return _render(
            *frames,
            numbers=[column.name for column in shown if column.kind.is_ordered],
            categories=[column.name for column in shown if column.kind.is_categorical],
        )
    except Exception:  # an extra page must not cost the verdict
        log.exception("Evidently made no page of %d columns", len(names))
        return None


def _render(
    current: pd.DataFrame, reference: pd.DataFrame, *, numbers: list[str], categories: list[str]
) -> str:
    with warnings.catch_warnings():
        # Evidently reaches into numpy's internals and divides by empty bins; neither is ours to act on.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
        snapshot = Report([DataDriftPreset(columns=[*numbers, *categories])]).run(
            Dataset.from_pandas(_plain(current), data_definition=definition),
            Dataset.from_pandas(_plain(reference), data_definition=definition),
        )
        html: str = snapshot.get_html_str(as_iframe=False)
    return html


def _is_on_both(column: ReferenceColumn, *, reference: pa.Table, current: pa.Table) -> bool:
    if not (column.kind.is_ordered or column.kind.is_categorical):
        return False
    for table in (reference, current):
        index = table.schema.get_field_index(column.name)
        if index < 0 or is_all_missing(table.column(index)):
            return False
        if kind_of(table.column(index).type) is not column.kind:
            return False
    return True


def _sample(table: pa.Table, *, seed: int) -> pa.Table:
    if table.num_rows <= _ROWS:
        return table
    chosen = np.random.default_rng(seed).choice(table.num_rows, size=_ROWS, replace=False)
    return table.take(np.sort(chosen))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns as Evidently compares them: instants as numbers, everything else but numbers as text."""
    plain = {}
    for name, values in frame.items():
        if values.dtype.kind in "mM":
            plain[name] = values.astype("int64").where(values.notna()).astype("float64")
        elif values.dtype.kind in "iuf":
            plain[name] = values.astype("float64").replace([np.inf, -np.inf], np.nan)
        else:
            plain[name] = values.astype("object").where(values.notna(), None).map(str, na_action="ignore")
    return pd.DataFrame(plain)
