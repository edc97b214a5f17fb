"""Runs expectations over a partition with Great Expectations and reads its answers.

A check that breaks does not raise there: it is ``success=False`` with ``exception_info``. That must not be
taken for bad data, so it has a status of its own here; unless it broke because its column is missing, which
is the data's fault.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation import Expectation

from mlops_core.data.documents import ExpectationOutcome
from mlops_core.errors import BrokenExpectationError

_POSITION = "mlops_position"
_MISSING = "the column is missing"
_LONGEST_TEXT = 300
_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An outcome and the positions of the rows that failed it."""

    outcome: ExpectationOutcome
    rows: Sequence[int]


def run_expectations(expectations: Sequence[Expectation], *, frame: pd.DataFrame) -> tuple[Finding, ...]:
    """Run each expectation over the frame, whose index must count its rows.

    Returns
    -------
    A finding for each expectation, in their order.

    Raises
    ------
    BrokenExpectationError
        If Great Expectations did not answer for each of them.
    """
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            # A library reports nothing about its users.
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    # Copies: a suite's function may hand out the same objects again, and a stored expectation keeps its id.
    numbered = [
        expectation.copy(update={"id": None, "meta": {**(expectation.meta or {}), _POSITION: position}})
        for position, expectation in enumerate(expectations)
    ]
    batch = (
        context.data_sources.add_pandas("partition")
        .add_dataframe_asset("partition")
        .add_batch_definition_whole_dataframe("partition")
    )
    definition = gx.ValidationDefinition(
        name="partition",
        data=batch,
        suite=context.suites.add(gx.ExpectationSuite(name="partition", expectations=numbered)),
    )
    answer = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
    )
    found = {
        result.expectation_config.meta[_POSITION]: _finding(result, columns=list(frame.columns))
        for result in answer.results
    }
    if sorted(found) != list(range(len(numbered))):
        raise BrokenExpectationError(
            f"Great Expectations answered for {len(found)} of {len(numbered)} expectations"
        )
    return _without_echoes([found[position] for position in range(len(numbered))])


def _finding(result: Any, *, columns: Sequence[str]) -> Finding:
    configuration, found = result.expectation_config, result.result
    exception = _exception(result.exception_info)
    subject = _columns_of(configuration.kwargs)
    missing = [column for column in subject if column not in columns]
    if result.success is True and exception is None:
        status, detail = "passed", _detail(found)
    elif missing:
        status, detail = "failed", _MISSING
    elif exception is not None:
        status, detail = "broken", exception
    else:
        status, detail = "failed", _detail(found)
    outcome = ExpectationOutcome.model_validate(
        {
            "expectation": configuration.type,
            "column": ", ".join(missing or subject) or None,
            "severity": "error" if configuration.severity == "critical" else "warning",
            "status": status,
            "expected": _expected(configuration.kwargs),
            "detail": detail,
            "unexpected_rows": found.get("unexpected_count") if "element_count" in found else None,
            "examples": tuple(
                _short(value, length=60) for value in found.get("partial_unexpected_list", [])[:_EXAMPLES]
            ),
        }
    )
    rows = found.get("unexpected_index_list") or []
    return Finding(outcome=outcome, rows=[int(row) for row in rows] if status == "failed" else [])


def _without_echoes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Let a missing column be found once: whatever else was asked of it was not computed.

    The finding that stays is of severity error if there is one, and is the column's existence if that was
    asked.
    """
    ranked = sorted(
        (finding.outcome for finding in findings if finding.outcome.status == "failed"),
        key=lambda outcome: (outcome.severity, outcome.expectation != "expect_column_to_exist"),
    )
    kept: dict[str | None, ExpectationOutcome] = {}
    for outcome in ranked:
        kept.setdefault(outcome.column, outcome)
    return tuple(
        Finding(outcome=finding.outcome.model_copy(update={"status": "skipped"}), rows=())
        if finding.outcome.detail == _MISSING and finding.outcome is not kept[finding.outcome.column]
        else finding
        for finding in findings
    )


def _columns_of(arguments: Mapping[str, Any]) -> list[str]:
    """Return the columns that an expectation is about; of a table's it is about none."""
    single = [arguments.get(name) for name in ("column", "column_A", "column_B")]
    return [name for name in (*single, *arguments.get("column_list", ())) if isinstance(name, str)]


def _exception(information: Mapping[str, Any]) -> str | None:
    """Return the message of a broken check; its information is flat or a level deeper, by metric."""
    for each in (information, *(value for value in information.values() if isinstance(value, Mapping))):
        if each.get("raised_exception") is True:
            return _short(each.get("exception_message") or "the check raised an exception")
    return None


def _expected(arguments: Mapping[str, Any]) -> str:
    shown = {
        name.rstrip("_"): value
        for name, value in arguments.items()
        if not name.startswith("column") and name != "batch_id" and value is not None
    }
    shown |= {name: arguments[name] for name in ("column_set",) if name in arguments}
    return _short(", ".join(f"{name} {_plain(value)}" for name, value in shown.items()), length=160)


def _detail(result: Mapping[str, Any]) -> str:
    if (count := result.get("unexpected_count")) is not None and "element_count" in result:
        return f"{count:,} of {result['element_count']:,} rows{_percent(result)}"
    mismatched = (result.get("details") or {}).get("mismatched") or {
        "missing": result.get("partial_missing_list"),
        "unexpected": result.get("partial_unexpected_list"),
    }
    if isinstance(mismatched, Mapping) and any(mismatched.values()):
        return _short("; ".join(f"{kind}: {_plain(names)}" for kind, names in mismatched.items() if names))
    if result.get("observed_value") is not None:
        return _short(f"observed {_plain(result['observed_value'])}")
    return "no value to judge" if "observed_value" in result else ""


def _percent(result: Mapping[str, Any]) -> str:
    percent = result.get("unexpected_percent_total", result.get("unexpected_percent"))
    return f" ({percent:.3g} %)" if isinstance(percent, float) and math.isfinite(percent) else ""


def _plain(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    return str(value)


def _short(value: object, *, length: int = _LONGEST_TEXT) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
