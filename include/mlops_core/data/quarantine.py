"""Where a refused partition is kept: the data, a sample of the rows that failed, and the verdict."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_core.data import storage
from mlops_core.data.documents import StagedPartition, ValidationResult
from mlops_core.data.expectations import Finding

ROW_COLUMN = "_row"
REASON_COLUMN = "_failed"
_SAMPLED_ROWS = 200


def keep(
    staged: StagedPartition,
    *,
    folder: str,
    failed_rows: pa.Table,
    result: ValidationResult,
) -> None:
    """Write ``data.parquet``, ``failed_rows.parquet`` and last ``validation.json`` into the folder.

    The folder is named by the data's digest, so a repeated call writes the same again.
    """
    storage.write_file(f"{folder}/data.parquet", storage.read_file(staged.uri))
    sink = pa.BufferOutputStream()
    pq.write_table(failed_rows, sink, write_page_checksum=True)
    storage.write_file(f"{folder}/failed_rows.parquet", sink.getvalue())
    storage.write_file(f"{folder}/validation.json", result.model_dump_json(indent=2).encode())


def sample_failed_rows(table: pa.Table, *, findings: Sequence[Finding]) -> pa.Table:
    """Return at most 200 rows that failed, each with its position and the expectations it failed.

    Every expectation gets an equal share first, so that one that fails everywhere does not hide the others.
    """
    failed = [finding for finding in findings if finding.rows]
    reasons: dict[int, list[str]] = {}
    share = _SAMPLED_ROWS // len(failed) if failed else 0
    for finding in failed:
        for row in finding.rows[: max(share, 1)]:
            if row in reasons or len(reasons) < _SAMPLED_ROWS:
                reasons.setdefault(row, []).append(_name(finding))
    return _rows_with_reasons(table, reasons=reasons)


def _rows_with_reasons(table: pa.Table, *, reasons: Mapping[int, Sequence[str]]) -> pa.Table:
    positions = sorted(reasons)
    sample = table.take(pa.array(positions, pa.int64()))
    explained = pa.array(["; ".join(reasons[position]) for position in positions], pa.string())
    return sample.append_column(ROW_COLUMN, pa.array(positions, pa.int64())).append_column(
        REASON_COLUMN, explained
    )


def _name(finding: Finding) -> str:
    outcome = finding.outcome
    return f"{outcome.expectation}({outcome.column})" if outcome.column else outcome.expectation
