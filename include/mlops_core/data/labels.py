"""The labels that are known of a partition by now."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels known by now.

    Parameters
    ----------
    values
        By key, each key once, without missing values.
    ambiguous
        How many keys had several labels that differ; they are left out.
    """

    values: pd.Series
    ambiguous: int


def known_labels(pipeline: Pipeline, *, partition: str, rows: pa.Table) -> Labels:
    """Return the labels of a partition: from the pipeline's function, or else the rows' own target.

    Parameters
    ----------
    rows
        The partition as it was scored.

    Raises
    ------
    DeclarationError
        If the pipeline's function returns no table with the key and the target.
    """
    if pipeline.labels is not None:
        frame = _frame(resolve(pipeline.labels)(partition))
        missing = [name for name in (pipeline.key, pipeline.target) if name not in frame.columns]
        if missing:
            raise DeclarationError(
                f"{pipeline.labels} returned the columns {', '.join(map(str, frame.columns)) or 'none'};"
                f" it must return {pipeline.key!r} and {pipeline.target!r}"
            )
    else:
        columns = [name for name in (pipeline.key, pipeline.target) if name is not None]
        frame = _frame(rows.select([name for name in columns if name in rows.column_names]))
        if pipeline.target not in frame.columns:
            frame[pipeline.target] = None
    keys = range(len(frame)) if pipeline.key is None else frame[pipeline.key].to_numpy()
    return _unambiguous(
        pd.DataFrame({"key": keys, "label": frame[pipeline.target].to_numpy(dtype=object)}).dropna()
    )


def _frame(rows: object) -> pd.DataFrame:
    if isinstance(rows, pa.Table):
        frame: pd.DataFrame = rows.to_pandas()
        return frame
    return rows if isinstance(rows, pd.DataFrame) else pd.DataFrame()


def _unambiguous(labels: pd.DataFrame) -> Labels:
    pairs = labels.drop_duplicates()
    repeated = pairs["key"].duplicated(keep=False)
    kept = pairs[~repeated]
    return Labels(
        values=pd.Series(kept["label"].to_numpy(), index=pd.Index(kept["key"])),
        ambiguous=int(pairs.loc[repeated, "key"].nunique()),
    )
