"""Does a window differ from the reference? One verdict a column, and one over all of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from mlops_core.monitoring.binning import (
    ColumnKind,
    ReferenceColumn,
    count_categories,
    is_all_missing,
    kind_of,
    only_value,
)
from mlops_core.monitoring.calibration import (
    NEW_CATEGORIES,
    Calibration,
    compare_counts,
    compare_new_categories,
)
from mlops_core.monitoring.report import DriftSummary, FeatureDrift, Finding, FindingKind, Measure, Verdict
from mlops_core.pipeline import MonitorPolicy

_NAMES_SHOWN = 5
_SCHEMA = frozenset({FindingKind.MISSING_COLUMN, FindingKind.RETYPED_COLUMN})
_NEVER_NO_DRIFT = frozenset(
    {FindingKind.ALL_NULL, FindingKind.CONSTANT, FindingKind.NEW_CATEGORY, FindingKind.UNCOMPARABLE}
)
"""With one of these, that no test exceeds its threshold says too little to call it no drift."""


def compare_columns(
    references: Sequence[ReferenceColumn],
    table: pa.Table,
    *,
    policy: MonitorPolicy,
    calibration: Calibration,
) -> tuple[FeatureDrift, ...]:
    """Compare every column of the reference with the window's of the same name.

    Nothing that the window holds raises: what cannot be compared is a finding.

    Parameters
    ----------
    references
        Bins and counts by column. Other columns of the window are ignored.
    table
        The window.
    policy
        The least rows and the least effect.
    calibration
        Shared by every column that is tested on this window, wherever it is tested.
    """
    return tuple(
        _compare_column(reference, _column(table, reference.name), policy=policy, calibration=calibration)
        for reference in references
    )


def summarize_features(
    columns: Sequence[FeatureDrift], *, rows: int, reference_rows: int, policy: MonitorPolicy
) -> DriftSummary:
    """Judge the features together: drift where the share of them that drifted reaches the policy's.

    A column that is gone or of another type is drift by itself, however many rows there are: the model is fed
    something else than it was fitted on.
    """
    broken = [column.name for column in columns if _has(column, _SCHEMA)]
    if broken:
        reason = f"missing or retyped: {_listed(broken)}"
        return _summary(Verdict.DRIFT, reason, columns, rows=rows, policy=policy)
    shortage = _shortage(rows=rows, reference_rows=reference_rows, policy=policy)
    if shortage or all(column.verdict is Verdict.INSUFFICIENT_DATA for column in columns):
        reason = shortage or "no feature could be compared"
        return _summary(Verdict.INSUFFICIENT_DATA, reason, columns, rows=rows, policy=policy)
    drifted = [column.name for column in columns if column.verdict is Verdict.DRIFT]
    share = len(drifted) / len(columns)
    verdict = Verdict.DRIFT if drifted and share >= policy.drifted_share else Verdict.NO_DRIFT
    reason = f"{len(drifted)} of {len(columns)} features drifted"
    reason += f" ({_listed(drifted)})" if drifted else ""
    reason += f"; {policy.drifted_share:.0%} of them make data drift"
    return _summary(verdict, reason, columns, rows=rows, policy=policy)


def summarize_scores(
    columns: Sequence[FeatureDrift], *, rows: int, reference_rows: int, policy: MonitorPolicy
) -> DriftSummary:
    """Judge the model's scores together: drift where any of them drifted."""
    shortage = _shortage(rows=rows, reference_rows=reference_rows, policy=policy)
    if any(column.verdict is Verdict.DRIFT for column in columns):
        verdict, reason = Verdict.DRIFT, _told(columns)
    elif shortage:
        verdict, reason = Verdict.INSUFFICIENT_DATA, shortage
    elif any(column.verdict is Verdict.NO_DRIFT for column in columns):
        verdict, reason = Verdict.NO_DRIFT, "the scores are distributed as in the reference"
    else:
        verdict, reason = Verdict.INSUFFICIENT_DATA, "no score could be compared"
    return _summary(verdict, reason, columns, rows=rows, policy=policy)


def _told(columns: Sequence[FeatureDrift]) -> str:
    drifted = [column for column in columns if column.verdict is Verdict.DRIFT]
    return _listed(
        [f"{column.name}: {'; '.join(finding.message for finding in column.findings)}" for column in drifted]
    )


def _summary(
    verdict: Verdict, reason: str, columns: Sequence[FeatureDrift], *, rows: int, policy: MonitorPolicy
) -> DriftSummary:
    findings: tuple[Finding, ...] = ()
    if rows == 0:
        findings = (Finding(kind=FindingKind.ZERO_ROWS, message="the window holds no rows"),)
    elif rows < policy.minimum_rows:
        message = f"the window holds {rows} rows; {policy.minimum_rows} are needed"
        findings = (Finding(kind=FindingKind.TOO_FEW_ROWS, message=message),)
    return DriftSummary(verdict=verdict, reason=reason, columns=tuple(columns), findings=findings)


def _shortage(*, rows: int, reference_rows: int, policy: MonitorPolicy) -> str:
    for side, count in (("window", rows), ("reference", reference_rows)):
        if count < policy.minimum_rows:
            return f"the {side} holds {count} rows; {policy.minimum_rows} are needed"
    return ""


def _column(table: pa.Table, name: str) -> pa.ChunkedArray | None:
    index = table.schema.get_field_index(name)
    return None if index < 0 else table.column(index)


def _compare_column(
    reference: ReferenceColumn,
    values: pa.ChunkedArray | None,
    *,
    policy: MonitorPolicy,
    calibration: Calibration,
) -> FeatureDrift:
    reference_missing = reference.missing / reference.rows if reference.rows else 0.0
    if values is None or _is_retyped(reference, values):
        return FeatureDrift(
            name=reference.name,
            verdict=Verdict.DRIFT,
            reference_missing_share=reference_missing,
            findings=(_schema_finding(reference, values),),
        )
    current = reference.count(values)
    rows = len(values)
    if _shortage(rows=rows, reference_rows=reference.rows, policy=policy):
        return FeatureDrift(
            name=reference.name,
            verdict=Verdict.INSUFFICIENT_DATA,
            missing_share=current[-1] / rows if rows else None,
            reference_missing_share=reference_missing,
            findings=_facts(reference, values),
        )
    measures = _measure(reference, values, current, calibration=calibration)
    facts = _facts(reference, values, measures=measures)
    verdict = _judge(measures, facts=facts, policy=policy)
    missing_share = float(current[-1] / rows)
    if verdict is Verdict.DRIFT:
        facts += _explain(reference.name, measures, rows=rows)
        if abs(missing_share - reference_missing) >= policy.minimum_effect:
            facts += (_missing_values(reference.name, missing_share, reference_missing),)
    return FeatureDrift(
        name=reference.name,
        verdict=verdict,
        distance=measures[0].value,
        measures=measures,
        adjusted_p_value=calibration.adjust(min(measure.p_value for measure in measures)),
        missing_share=missing_share,
        reference_missing_share=reference_missing,
        findings=facts,
    )


def _measure(
    reference: ReferenceColumn, values: pa.ChunkedArray, current: np.ndarray, *, calibration: Calibration
) -> tuple[Measure, ...]:
    measures = compare_counts(
        np.array(reference.counts), current, ordered=reference.ordered_bins, calibration=calibration
    )
    if reference.known and not is_all_missing(values):
        found = count_categories(values)
        measures += (compare_new_categories(reference.known, found, calibration=calibration),)
    return measures


def _judge(measures: Sequence[Measure], *, facts: Sequence[Finding], policy: MonitorPolicy) -> Verdict:
    exceeding = {measure.name for measure in measures if measure.exceeds}
    # A value that the model has never seen is worth a finding however few rows have it.
    if NEW_CATEGORIES in exceeding or (exceeding and measures[0].value >= policy.minimum_effect):
        return Verdict.DRIFT
    if any(fact.kind in _NEVER_NO_DRIFT for fact in facts):
        return Verdict.INSUFFICIENT_DATA
    return Verdict.NO_DRIFT


def _is_retyped(reference: ReferenceColumn, values: pa.ChunkedArray) -> bool:
    kinds = {reference.kind, kind_of(values.type)}
    # pandas has no type for a column without values, so its type then says nothing.
    return len(kinds) > 1 and ColumnKind.EMPTY not in kinds and not (len(values) and is_all_missing(values))


def _schema_finding(reference: ReferenceColumn, values: pa.ChunkedArray | None) -> Finding:
    if values is None:
        message = f"the column is gone; the reference has it as {reference.type}"
        return Finding(kind=FindingKind.MISSING_COLUMN, column=reference.name, message=message)
    message = f"the column is of type {values.type}; the reference has it as {reference.type}"
    return Finding(kind=FindingKind.RETYPED_COLUMN, column=reference.name, message=message)


def _facts(
    reference: ReferenceColumn, values: pa.ChunkedArray, *, measures: Sequence[Measure] = ()
) -> tuple[Finding, ...]:
    """Say what is plain without a test. No rows have nothing to say."""
    if not len(values):
        return ()
    messages: dict[FindingKind, str] = {}
    if is_all_missing(values):
        messages[FindingKind.ALL_NULL] = (
            f"null in all {len(values)} rows; in the reference in {reference.missing} of {reference.rows}"
        )
    elif (only := only_value(values)) is not None:
        messages[FindingKind.CONSTANT] = (
            f"the one value {_shortened(only)} in all rows that have any; the reference has"
            f" {reference.distinct}"
        )
    if new := _new_categories(reference, values):
        by_chance = [measure.threshold for measure in measures if measure.name == NEW_CATEGORIES]
        messages[FindingKind.NEW_CATEGORY] = (
            f"the reference lacks {_listed([_shortened(name) for name in new])}, in {sum(new.values())} of"
            f" {len(values)} rows"
            + "".join(f", by chance up to {share * len(values):.0f}" for share in by_chance)
        )
    if why := _why_uncomparable(reference):
        messages[FindingKind.UNCOMPARABLE] = why
    return tuple(
        Finding(kind=kind, column=reference.name, message=message) for kind, message in messages.items()
    )


def _new_categories(reference: ReferenceColumn, values: pa.ChunkedArray) -> dict[str, int]:
    if not reference.known or not kind_of(values.type).is_categorical:
        return {}
    known = reference.known
    return {name: count for name, count in count_categories(values).items() if name not in known}


def _why_uncomparable(reference: ReferenceColumn) -> str:
    if reference.kind is ColumnKind.OTHER:
        return f"values of type {reference.type} are not compared, only how many are missing"
    if reference.kind.is_categorical and reference.distinct and not reference.categories:
        return f"each of the reference's {reference.distinct} categories is too rare to be compared"
    return ""


def _explain(name: str, measures: Sequence[Measure], *, rows: int) -> tuple[Finding, ...]:
    exceeding = [measure for measure in measures if measure.exceeds and measure.name != NEW_CATEGORIES]
    if not exceeding:
        return ()
    parts = [f"{one.name} {one.value:.3f}, by chance up to {one.threshold:.3f}" for one in exceeding]
    message = f"{'; '.join(parts)} at {rows} rows"
    return (Finding(kind=FindingKind.DISTRIBUTION, column=name, message=message),)


def _missing_values(name: str, share: float, reference_share: float) -> Finding:
    message = f"missing in {share:.1%} of the rows; in the reference in {reference_share:.1%}"
    return Finding(kind=FindingKind.MISSING_VALUES, column=name, message=message)


def _has(column: FeatureDrift, kinds: frozenset[FindingKind]) -> bool:
    return any(finding.kind in kinds for finding in column.findings)


def _shortened(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}…")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
