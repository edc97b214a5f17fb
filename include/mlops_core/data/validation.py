"""Whether a staged partition may become part of a snapshot."""

import logging
from collections.abc import Sequence

import pyarrow as pa

from mlops_core.data import quarantine
from mlops_core.data.documents import ExpectationOutcome, StagedPartition, ValidationResult
from mlops_core.data.expectations import Finding, run_expectations
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.data.suites import FormerSchema, compare_schemas, expectations_for
from mlops_core.data.validation_page import render
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore

__all__ = ["ExpectationOutcome", "ValidationResult", "validate_partition"]

_log = logging.getLogger(__name__)


def validate_partition(
    pipeline: Pipeline, *, staged: StagedPartition, store: SnapshotStore, reports: ReportStore
) -> ValidationResult:
    """Run the partition's expectations, write the report, and keep a refused partition aside.

    It decides nothing by raising: the caller asks ``result.require_success()``.

    Raises
    ------
    CorruptedDataError
        If the staged file is not what was staged.
    DeclarationError
        If the suite is empty or holds something else than expectations.
    """
    table = store.read_staged(staged)
    findings = _findings(pipeline, staged=staged, table=table, store=store)
    outcomes = [finding.outcome for finding in findings]
    failures = _select(outcomes, status="failed", severity="error")
    broken = tuple(outcome for outcome in outcomes if outcome.status == "broken")
    key = f"{staged.partition}-{staged.digest[:12]}"
    result = ValidationResult(
        pipeline=staged.pipeline,
        partition=staged.partition,
        digest=staged.digest,
        rows=table.num_rows,
        success=bool(outcomes) and not failures and not broken,
        expectations=len(outcomes),
        failures=failures,
        warnings=_select(outcomes, status="failed", severity="warning"),
        broken=broken,
        report=reports.relative_path(
            pipeline=staged.pipeline, kind="validation", key=key, name="report.html"
        ),
        quarantine_uri=store.quarantine_uri(staged) if failures else None,
    )
    failed_rows = quarantine.sample_failed_rows(
        table, findings=[finding for finding in findings if finding.outcome in failures]
    )
    for name, content in (
        ("report.html", render(result, outcomes=outcomes, failed_rows=failed_rows)),
        ("validation.json", result.model_dump_json(indent=2)),
    ):
        reports.write(pipeline=staged.pipeline, kind="validation", key=key, name=name, content=content)
    if result.quarantine_uri is not None:
        quarantine.keep(staged, folder=result.quarantine_uri, failed_rows=failed_rows, result=result)
    _log.info(
        "validated %s, partition %s: %s expectations, %s failed, %s warned, %s broken",
        staged.pipeline,
        staged.partition,
        result.expectations,
        len(failures),
        len(result.warnings),
        len(broken),
    )
    return result


def _findings(
    pipeline: Pipeline, *, staged: StagedPartition, table: pa.Table, store: SnapshotStore
) -> tuple[Finding, ...]:
    former = _former_schema(pipeline, staged=staged, store=store)
    expectations = expectations_for(pipeline, partition=staged.partition, former=former)
    findings = run_expectations(expectations, frame=table.to_pandas())
    if former is None:
        return findings
    types = compare_schemas(table.schema, former=former)
    return (*findings, Finding(outcome=types, rows=()))


def _former_schema(
    pipeline: Pipeline, *, staged: StagedPartition, store: SnapshotStore
) -> FormerSchema | None:
    """Return the columns of the latest other partition, if anything was published."""
    identity = store.find_current(pipeline.name)
    if identity is None:
        return None
    others = [each.partition for each in store.partitions(identity) if each.partition != staged.partition]
    if not others:
        return None
    return FormerSchema(partition=others[-1], schema=store.schema(identity, partition=others[-1]))


def _select(
    outcomes: Sequence[ExpectationOutcome], *, status: str, severity: str
) -> tuple[ExpectationOutcome, ...]:
    return tuple(outcome for outcome in outcomes if outcome.status == status and outcome.severity == severity)
