"""The page on which a person reads what validation said."""

from collections.abc import Sequence

import pyarrow as pa

from mlops_core.data.documents import ExpectationOutcome, ValidationResult
from mlops_core.pages import Badge, Facts, Section, Table, Text, page

_SHOWN_ROWS = 50
_SHOWN_CHARACTERS = 160
_ORDER = ("failed", "broken", "skipped", "passed")


def render(result: ValidationResult, *, outcomes: Sequence[ExpectationOutcome], failed_rows: pa.Table) -> str:
    """Return the page of one validation, what went wrong first."""
    ordered = sorted(outcomes, key=lambda each: (_ORDER.index(each.status), each.severity))
    found = [outcome for outcome in ordered if outcome.status != "passed"]
    sections = [Section("Summary", [Facts(items=_facts(result))])]
    if found:
        sections.append(Section("Expectations not met", [_table(found)]))
    if failed_rows.num_rows:
        shown = failed_rows.slice(0, _SHOWN_ROWS)
        text = f"The first {shown.num_rows} of {failed_rows.num_rows} rows sampled; all are in quarantine."
        sections.append(Section("Rows that failed", [Text(text), _rows(shown)]))
    met = [outcome for outcome in ordered if outcome.status == "passed"]
    sections.append(Section("Expectations met", [_table(met)]))
    return page(
        f"Validation of {result.pipeline}, {result.partition}",
        subtitle=_sentence(result),
        badge=_verdict(result),
        sections=sections,
    )


def _verdict(result: ValidationResult) -> Badge:
    if result.failures:
        return Badge("fail", "refused")
    if not result.success:
        return Badge("fail", "not decided")
    return Badge("warn", "passed with warnings") if result.warnings else Badge("pass", "passed")


def _sentence(result: ValidationResult) -> str:
    if result.failures:
        return "The partition was refused and kept aside; nothing downstream runs."
    if not result.success:
        return "Some expectations could not be computed, so nothing is published. Correct the suite."
    return "The partition may be published."


def _facts(result: ValidationResult) -> list[tuple[str, str | int | None]]:
    return [
        ("Rows", result.rows),
        ("Expectations", result.expectations),
        ("Failed", len(result.failures)),
        ("Warnings", len(result.warnings)),
        ("Could not be computed", len(result.broken)),
        ("Digest of the data", result.digest),
        ("Kept in", result.quarantine_uri),
    ]


def _table(outcomes: Sequence[ExpectationOutcome]) -> Table:
    return Table(
        header=["Verdict", "Expectation", "Column", "Expected", "Found", "Examples"],
        rows=[
            [
                _badge(outcome),
                outcome.expectation.removeprefix("expect_").replace("_", " "),
                outcome.column,
                outcome.expected,
                outcome.detail,
                ", ".join(outcome.examples),
            ]
            for outcome in outcomes
        ],
    )


def _badge(outcome: ExpectationOutcome) -> Badge:
    if outcome.status == "passed":
        return Badge("pass", "passed")
    if outcome.status == "skipped":
        return Badge("none", "skipped")
    if outcome.status == "broken":
        return Badge("fail", "broken")
    return Badge("fail", "failed") if outcome.severity == "error" else Badge("warn", "warning")


def _rows(table: pa.Table) -> Table:
    # What was found wrong comes first; a wide partition's columns scroll beside it.
    names = [*table.column_names[-2:], *table.column_names[:-2]]
    rows = table.select(names).to_pylist()
    return Table(header=names, rows=[[_cell(row[name]) for name in names] for row in rows])


def _cell(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_SHOWN_CHARACTERS]
