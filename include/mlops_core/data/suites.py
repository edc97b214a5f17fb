"""Which expectations a partition must meet: those declared, and those that no suite may lack."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations.expectations as gxe
import pyarrow as pa
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from mlops_core.data.documents import ExpectationOutcome
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve


@dataclass(frozen=True, kw_only=True)
class FormerSchema:
    """The columns of a partition that was published before."""

    partition: str
    schema: pa.Schema


def expectations_for(
    pipeline: Pipeline, *, partition: str, former: FormerSchema | None
) -> tuple[Expectation, ...]:
    """Return what a partition must meet.

    First what no partition may lack: enough rows, the target, the features, and a key that names each row
    once. Then the pipeline's own suite; without one, the columns of what was published before.

    A suite's function may take an argument ``partition``, so that what it expects can depend on it.

    Raises
    ------
    DeclarationError
        If the declared suite is empty, or holds something else than expectations. In Great Expectations an
        empty suite succeeds.
    """
    declared = _declared(pipeline, partition=partition)
    required = _required(pipeline)
    if not any(_bounds_rows(expectation) for expectation in declared):
        required.insert(0, gxe.ExpectTableRowCountToBeBetween(min_value=pipeline.minimum_partition_rows))
    if pipeline.expectations is None and former is not None:
        names = set(former.schema.names)
        required.append(gxe.ExpectTableColumnsToMatchSet(column_set=sorted(names), exact_match=False))
        required.append(gxe.ExpectTableColumnsToMatchSet(column_set=sorted(names), severity="warning"))
    known = {_identity(expectation) for expectation in declared}
    return (*(each for each in required if _identity(each) not in known), *declared)


def compare_schemas(schema: pa.Schema, *, former: FormerSchema) -> ExpectationOutcome:
    """Compare Arrow types with those published before; pandas, where the suite runs, knows fewer.

    Partitions whose types differ cannot be read together, so no suite can allow it.
    """
    changed = [
        f"{field.name} is {schema.field(field.name).type}, was {field.type}"
        for field in former.schema
        if field.name in schema.names and schema.field(field.name).type != field.type
    ]
    return ExpectationOutcome(
        expectation="expect_column_types_of_former_snapshot",
        column=None,
        severity="error",
        status="failed" if changed else "passed",
        expected=f"types as in partition {former.partition}",
        detail="; ".join(changed)[:500] or "same types",
    )


def _declared(pipeline: Pipeline, *, partition: str) -> tuple[Expectation, ...]:
    if pipeline.expectations is None:
        return ()
    function: Callable[..., Any] = resolve(pipeline.expectations)
    takes_partition = "partition" in inspect.signature(function).parameters
    suite = function(partition=partition) if takes_partition else function()
    if isinstance(suite, ExpectationSuite):
        suite = suite.expectations
    if not isinstance(suite, Sequence) or not all(isinstance(each, Expectation) for each in suite):
        raise DeclarationError(
            f"{pipeline.expectations} returned no sequence of expectations: {suite!r:.200}"
        )
    if all(_is_row_count(each) for each in suite):
        content = "only a row count" if suite else "an empty suite, which would pass anything"
        raise DeclarationError(
            f"{pipeline.expectations} returned {content}; give at least one expectation about the columns, "
            "or leave expectations out of the pipeline for the default suite"
        )
    return tuple(suite)


def _required(pipeline: Pipeline) -> list[Expectation]:
    columns = [pipeline.target, *(pipeline.features or ())]
    required: list[Expectation] = [gxe.ExpectColumnToExist(column=column) for column in columns]
    if pipeline.key is not None:
        required.append(gxe.ExpectColumnToExist(column=pipeline.key))
        required.append(gxe.ExpectColumnValuesToNotBeNull(column=pipeline.key))
        required.append(gxe.ExpectColumnValuesToBeUnique(column=pipeline.key))
    return required


def _is_row_count(expectation: Expectation) -> bool:
    return isinstance(expectation, gxe.ExpectTableRowCountToBeBetween | gxe.ExpectTableRowCountToEqual)


def _bounds_rows(expectation: Expectation) -> bool:
    """Return whether it can refuse a partition for having too few rows."""
    if not _is_row_count(expectation) or expectation.severity != FailureSeverity.CRITICAL:
        return False
    return isinstance(expectation, gxe.ExpectTableRowCountToEqual) or expectation.min_value is not None


def _identity(expectation: Expectation) -> str:
    """Return a text that is equal for expectations that check the same."""
    configuration = expectation.configuration
    return f"{configuration.type} {configuration.severity} {sorted(configuration.kwargs.items(), key=str)}"
