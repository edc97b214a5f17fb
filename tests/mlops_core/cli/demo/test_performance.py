import io
from pathlib import Path

import pytest
from rich.console import Console

from mlops_core.cli.demo.outcome import Measured, Outcome, Summary
from mlops_core.cli.demo.performance import Performance
from mlops_core.cli.demo.progress import Progress, RunView
from mlops_core.cli.demo.table import closing_table
from mlops_core.cli.embedded.home import Home, Maker

METRIC = Measured(name="roc_auc", value=0.76136, lower=0.75, upper=0.77)


def outcome(**changes: object) -> Outcome:
    fields = {"step": 1, "title": "Ingest", "happened": "6 partitions", "decision": "published"}
    return Outcome.model_validate({**fields, **changes})


def clear(home: Home, *, made_by: Maker, with_data: bool) -> str:
    """Fill a home, let the demo clear it, and return what the demo said."""
    home.prepare(made_by=made_by)
    if with_data:
        (home.root / "data").mkdir()
    shown = io.StringIO()
    Performance(home, Console(file=shown, width=400))._clear()
    return shown.getvalue()


def test_a_home_of_the_last_demo_is_wiped(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    assert clear(home, made_by="demo", with_data=True) == ""
    assert not home.holds_work()
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_a_persons_work_is_set_aside(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    said = clear(home, made_by="up", with_data=True)

    (kept,) = (entry for entry in tmp_path.iterdir() if entry.name != "home")
    assert (kept / "data").is_dir()
    assert str(kept) in said
    assert not home.holds_work()


def test_a_platform_that_nobody_has_used_is_wiped(tmp_path: Path) -> None:
    assert clear(Home(tmp_path / "home"), made_by="up", with_data=False) == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_a_folder_that_is_no_home_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    Performance(Home(tmp_path), Console(file=io.StringIO()))._clear()

    assert (tmp_path / "thesis.txt").exists()


def test_two_performances_are_compared_without_their_times() -> None:
    first, second = (
        Summary(
            model="life",
            began_at=f"2026-01-0{day}T00:00:00Z",
            platform_seconds=day,
            story_seconds=day,
            outcomes=(outcome(seconds=day, metric=METRIC),),
        )
        for day in (1, 2)
    )

    assert first != second
    assert first.decisions() == second.decisions()


@pytest.mark.parametrize("width", [80, 180])
def test_the_closing_table_shows_every_outcome_and_why_a_story_ended(width: int) -> None:
    summary = Summary(
        model="life",
        began_at="2026-01-01T00:00:00Z",
        platform_seconds=20,
        story_seconds=75,
        outcomes=(outcome(), outcome(step=2, title="Train", decision="promoted", version=7, metric=METRIC)),
        problem="the gate said nothing",
    )
    console = Console(file=io.StringIO(), width=width, record=True)

    console.print(closing_table(summary))

    shown = console.export_text()
    for word in ("life", "1 min 15 s", "published", "promoted", "7", "roc_auc", "0.7614", "failed"):
        assert word in shown


def test_the_live_picture_shows_steps_runs_and_tasks() -> None:
    console = Console(file=io.StringIO(), width=120, record=True, force_terminal=True)
    progress = Progress(console, title="story", steps=["Ingest", "Train", "Watch"])
    progress.begin(1)
    progress.end()
    progress.begin(2)
    progress.show(RunView("life__train", "running", (("plan", "success"), ("train", "running"))))

    console.print(progress._picture())

    lines = [line.split() for line in console.export_text().splitlines() if line.strip()]
    assert lines[1][:3] == ["✓", "1", "Ingest"]
    assert ["●", "life__train", "plan", "✓", "train", "●"] in lines
    assert ["○", "3", "Watch"] in lines
