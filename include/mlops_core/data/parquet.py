"""Tables as Parquet files whose every bit is checked.

delta-rs writes no page checksums, and without them most single-bit flips in a Parquet file read as different
data. So pyarrow writes the files, with page checksums for other readers, and the library itself compares the
SHA-256 of the bytes that it parses.
"""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema

from mlops_core.data import storage
from mlops_core.errors import CorruptedDataError, DataRejectedError, SnapshotMissingError

PARTITION_COLUMN = "partition"
"""The Delta table's partition column: it is in no file, so no loader may use the name."""

_ROWS_A_GROUP = 1 << 17
_STORED_AS = {
    "uint8": pa.int16(),
    "uint16": pa.int32(),
    "uint32": pa.int64(),
    "uint64": pa.int64(),
    "large_string": pa.string(),
    "string_view": pa.string(),
    "large_binary": pa.binary(),
    "binary_view": pa.binary(),
    "date64[ms]": pa.date32(),
}


def canonical(table: pa.Table) -> pa.Table:
    """Return the same rows in types that Delta Lake stores without loss, without metadata.

    Strings become ``string``, dictionaries their values, unsigned integers the next wider signed, timestamps
    microseconds; so that equal content has equal bytes whatever library loaded it.

    Raises
    ------
    DataRejectedError
        If a column cannot be stored; it is named.
    """
    names = table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataRejectedError(f"columns appear more than once: {', '.join(repeated)}")
    if PARTITION_COLUMN in names:
        raise DataRejectedError(
            f"column {PARTITION_COLUMN!r} is reserved for the partition's key; rename it in the loader"
        )
    columns = [_stored(table.column(name), name) for name in names]
    return pa.table(dict(zip(names, columns, strict=True)))


def write_table(table: pa.Table, *, folder: str) -> tuple[str, str]:
    """Write a canonical table under its digest and return the address and the digest.

    Rows are regrouped first, so that how the loader chunked them leaves no trace in the bytes.
    """

    def write(sink: storage.HashingSink) -> None:
        with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
            for start in range(0, max(table.num_rows, 1), _ROWS_A_GROUP):
                writer.write_table(table.slice(start, _ROWS_A_GROUP).combine_chunks())

    return storage.write_named_by_digest(folder, suffix=".parquet", write=write)


def open_verified(address: str, *, digest: str) -> pq.ParquetFile:
    """Open a file after comparing its digest; what is parsed later are the bytes that were compared.

    Raises
    ------
    CorruptedDataError
        If the file is gone or its bytes are not those that were published.
    """
    try:
        content = storage.read_file(address)
    except FileNotFoundError as error:
        raise CorruptedDataError(f"{address} is gone; restore it or ingest its partition again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise CorruptedDataError(
            f"{address} has digest {found[:12]}…, published as {digest[:12]}…; "
            "restore it or ingest its partition again"
        )
    return pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)


def read_footer(address: str) -> tuple[int, pa.Schema]:
    """Return a file's row count and Arrow schema without reading its data."""
    with storage.open_file(address) as stream, pq.ParquetFile(stream) as file:
        return file.metadata.num_rows, file.schema_arrow


def read_columns(file: pq.ParquetFile, *, columns: Sequence[str] | None, address: str) -> pa.Table:
    """Read all rows of the columns, in the order asked for; all columns if None.

    Raises
    ------
    SnapshotMissingError
        If the file lacks a column: pyarrow alone would leave it out silently.
    """
    if columns is None:
        return file.read()
    known = file.schema_arrow.names
    missing = [name for name in columns if name not in known]
    if missing:
        raise SnapshotMissingError(
            f"{address} has no column {', '.join(map(repr, missing))}; it has: {', '.join(known)}"
        )
    return file.read(columns=list(columns)).select(list(columns))


def _stored(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    wanted = _stored_type(column.type)
    if pa.types.is_null(wanted):
        raise DataRejectedError(f"column {name!r} holds no value and has no type; give it one in the loader")
    try:
        Schema.from_arrow(pa.schema([(name, wanted)]))
    except Exception as error:  # delta-rs raises bare Exception for a type that it does not know
        raise DataRejectedError(f"column {name!r} is {column.type}, which Delta Lake cannot store") from error
    try:
        return column if column.type == wanted else column.cast(wanted)
    except pa.ArrowInvalid as error:
        raise DataRejectedError(f"column {name!r} does not fit {wanted}: {error}") from error


def _stored_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _stored_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    return _STORED_AS.get(str(kind), kind)
