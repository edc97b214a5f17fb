"""Which DAG made a report: who may read the DAG may read the report."""

from pathlib import Path

_OWNER = "dag_id"


def claim(report: Path, *, dag_id: str) -> None:
    """Note beside a report that a DAG made it."""
    report.with_name(_OWNER).write_text(dag_id, encoding="utf-8")


def is_owned(report: Path, *, dag_id: str) -> bool:
    """Return whether a DAG made the report; one that nobody claimed is nobody's."""
    owner = report.with_name(_OWNER)
    return owner.is_file() and owner.read_text(encoding="utf-8") == dag_id
