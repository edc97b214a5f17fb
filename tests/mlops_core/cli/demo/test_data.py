import io
from pathlib import Path
from unittest.mock import create_autospec

import pyarrow as pa
import pytest
from rich.console import Console

from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.cli.demo import data
from mlops_core.cli.demo.conductor import Conductor
from mlops_core.cli.demo.progress import Progress
from mlops_core.cli.demo.stage import Stage
from mlops_core.cli.embedded.home import Home
from mlops_core.data.documents import ExpectationOutcome, ValidationResult
from mlops_core.errors import StoryError
from mlops_core.settings import Settings

POISONED = "2013-08"


class Platform:
    """A stage on a fake Airflow that refuses the poisoned partition as it should, until a test changes it."""

    def __init__(self, folder: Path) -> None:
        self.api = create_autospec(AirflowClient, instance=True)
        self.api.log_tail.return_value = "the log"
        progress = Progress(Console(file=io.StringIO()), title="story", steps=["first"])
        self.settings = Settings(home=folder)
        self.stage = Stage("life", Home(folder), self.settings, self.api, Conductor(self.api, progress))
        self.stage.snapshots.write_partition("life", "2013-07", pa.table({"id": [1, 2]}))
        self.end_with(state="failed", load="success", validate="failed", publish="upstream_failed")
        self.api.runs.return_value = ()

    def end_with(self, *, state: str, **tasks: str) -> None:
        run = DagRun(
            dag_id="life__ingest",
            dag_run_id="one",
            state=state,
            run_type="manual",
            partition_key=POISONED,
        )
        self.api.trigger.return_value = self.api.run.return_value = run
        self.api.task_instances.return_value = tuple(
            TaskInstance(task_id=name, state=result) for name, result in tasks.items()
        )

    def keep_aside(self) -> Path:
        folder = Path(self.settings.data_uri) / "quarantine" / "life" / POISONED / "digest"
        folder.mkdir(parents=True)
        failure = ExpectationOutcome(
            expectation="expect_column_values_to_be_between",
            column="amount",
            severity="error",
            status="failed",
            expected="",
            detail="",
        )
        result = ValidationResult(
            pipeline="life",
            partition=POISONED,
            digest="0" * 64,
            rows=200,
            success=False,
            expectations=10,
            failures=(failure,),
            warnings=(),
            broken=(),
            report="",
            quarantine_uri=str(folder),
        )
        (folder / "validation.json").write_text(result.model_dump_json())
        for name in ("data.parquet", "failed_rows.parquet"):
            (folder / name).write_bytes(b"")
        return folder

    def ingest_poison(self) -> str:
        (outcome,) = data.ingest_poisoned(self.stage, {POISONED: "absurd amounts"}, step=6)
        assert outcome.decision == "refused"
        return outcome.happened


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_a_refused_delivery_is_reported_with_what_failed_and_where_it_is_kept(platform: Platform) -> None:
    platform.keep_aside()

    happened = platform.ingest_poison()

    assert "1 of 10 expectations failed (amount)" in happened
    assert "kept in data/quarantine/life/2013-08" in happened


def test_an_accepted_poison_ends_the_story(platform: Platform) -> None:
    platform.end_with(state="success", load="success", validate="success", publish="success")

    with pytest.raises(StoryError, match="validation accepted partition 2013-08"):
        platform.ingest_poison()


def test_a_failure_elsewhere_than_in_validation_ends_the_story_with_its_log(platform: Platform) -> None:
    platform.end_with(state="failed", load="failed", validate="upstream_failed", publish="upstream_failed")

    with pytest.raises(StoryError, match="failed at load; its log ends:\nthe log"):
        platform.ingest_poison()


def test_a_refused_delivery_that_is_not_kept_aside_ends_the_story(platform: Platform) -> None:
    with pytest.raises(StoryError, match="should be kept in one folder"):
        platform.ingest_poison()


def test_a_refused_delivery_without_its_failed_rows_ends_the_story(platform: Platform) -> None:
    (platform.keep_aside() / "failed_rows.parquet").unlink()

    with pytest.raises(StoryError, match=r"lacks failed_rows\.parquet"):
        platform.ingest_poison()


def test_a_snapshot_that_moved_ends_the_story(platform: Platform) -> None:
    platform.keep_aside()

    def publish_it_all_the_same(*_: object, **__: object) -> DagRun:
        platform.stage.snapshots.write_partition("life", POISONED, pa.table({"id": [3]}))
        return platform.api.trigger.return_value

    platform.api.trigger.side_effect = publish_it_all_the_same

    with pytest.raises(StoryError, match="the snapshot went from version"):
        platform.ingest_poison()


def test_a_run_downstream_of_a_refused_delivery_ends_the_story(platform: Platform) -> None:
    platform.keep_aside()
    platform.api.runs.return_value = (
        DagRun(
            dag_id="life__score",
            dag_run_id="two",
            state="queued",
            run_type="asset_triggered",
            partition_key=POISONED,
        ),
    )

    with pytest.raises(StoryError, match="life__score ran for the refused partition 2013-08"):
        platform.ingest_poison()
