"""Steps that bring data in: good months, and deliveries that must be refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_core.cli.airflow_api import DagRun
from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.stage import Stage
from mlops_core.data.documents import PublishedPartition, ValidationResult
from mlops_core.errors import StoryError

PUBLISHED = "published"
REFUSED = "refused"


def ingest(stage: Stage, partitions: Sequence[str], *, step: int, title: str) -> Outcome:
    """Ingest good partitions.

    Raises
    ------
    StoryError
        If one is refused.
    """
    published = [
        PublishedPartition.model_validate(stage.api.xcom(stage.conductor.require_success(run), "publish"))
        for run in stage.ingest(partitions)
    ]
    rows = sum(partition.rows for partition in published)
    version = max(partition.snapshot.version for partition in published)
    count = "1 partition" if len(published) == 1 else f"{len(published)} partitions"
    return Outcome(
        step=step,
        title=title,
        happened=f"{count}, {rows:,} rows validated and published, snapshot version {version}",
        decision=PUBLISHED,
    )


def ingest_poisoned(stage: Stage, deliveries: Mapping[str, str], *, step: int) -> tuple[Outcome, ...]:
    """Ingest deliveries that lie in the landing folder and must be refused.

    Parameters
    ----------
    deliveries
        What is wrong with each partition, in words.

    Raises
    ------
    StoryError
        If one is accepted, fails elsewhere than in validation, is not kept aside, or anything downstream ran.
    """
    before = stage.snapshots.current(stage.model)
    runs = stage.ingest(tuple(deliveries))
    outcomes = tuple(
        _refused(stage, run, step=step, title=f"Poisoned: {deliveries[str(run.partition_key)]}")
        for run in runs
    )
    after = stage.snapshots.current(stage.model)
    if after != before:
        raise StoryError(
            f"the snapshot went from version {before.version} to {after.version} by refused deliveries"
        )
    for downstream in ("score", "monitor"):
        for run in stage.api.runs(stage.dag(downstream)):
            if run.partition_key in deliveries:
                raise StoryError(f"{run.dag_id} ran for the refused partition {run.partition_key}")
    return outcomes


def _refused(stage: Stage, run: DagRun, *, step: int, title: str) -> Outcome:
    tasks = {task.task_id: task.state for task in stage.api.task_instances(run)}
    if run.state == "success":
        raise StoryError(f"validation accepted partition {run.partition_key}, which was poisoned on purpose")
    if tasks.get("validate") != "failed":
        stage.conductor.require_success(run)
    if tasks.get("publish") == "success":
        raise StoryError(f"partition {run.partition_key} was published though validation refused it")
    result, folder = _kept_aside(stage, str(run.partition_key))
    failed = ", ".join(dict.fromkeys(failure.column or failure.expectation for failure in result.failures))
    count = f"{len(result.failures)} of {result.expectations} expectations failed"
    return Outcome(
        step=step,
        title=title,
        happened=f"{run.partition_key}, {result.rows:,} rows: {count} ({_shortened(failed)}); "
        f"kept in {folder.parent.relative_to(stage.home.root)}; nothing downstream ran",
        decision=REFUSED,
        seconds=run.seconds,
    )


def _kept_aside(stage: Stage, partition: str) -> tuple[ValidationResult, Path]:
    """Return the verdict that lies beside the refused data."""
    places = sorted(
        Path(stage.settings.data_uri).glob(f"quarantine/{stage.model}/{partition}/*/validation.json")
    )
    if len(places) != 1:
        raise StoryError(
            f"the refused partition {partition} should be kept in one folder below "
            f"{stage.settings.data_uri}/quarantine; found {len(places)}"
        )
    folder = places[0].parent
    for name in ("data.parquet", "failed_rows.parquet"):
        if not (folder / name).exists():
            raise StoryError(f"{folder} lacks {name} of the refused partition {partition}")
    result = ValidationResult.model_validate_json(places[0].read_bytes())
    if result.success or not result.failures:
        raise StoryError(f"{places[0]} names no failed expectation, though the partition was refused")
    return result, folder


def _shortened(names: str, *, length: int = 80) -> str:
    return names if len(names) <= length else f"{names[:length].rsplit(', ', 1)[0]}, …"
