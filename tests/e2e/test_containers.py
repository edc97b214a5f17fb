"""Containers outlive the processes around them, under the real scheduler; `make faults` plays the rest."""

import dataclasses
from collections.abc import Iterator, Mapping

import pytest

from faults.matrix import Row, play_rows
from faults.scenarios import IMAGE, SCENARIOS, Mode
from faults.stage import open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_PLAYED: Mapping[str, Mode] = {"task_killed": "sync", "marked_failed": "deferred", "out_of_memory": "sync"}


@pytest.fixture(scope="module")
def rows(docker_engine: str, python_image: str) -> Iterator[Mapping[str, Row]]:
    """Rows of the kill matrix, played at the same time on one platform."""
    assert python_image == IMAGE
    chosen = [
        dataclasses.replace(scenario, modes=(_PLAYED[scenario.name],))
        for scenario in SCENARIOS
        if scenario.name in _PLAYED
    ]
    with open_stage(docker_engine) as stage:
        yield {row.scenario.name: row for row in play_rows(stage, chosen)}


def test_the_container_of_a_killed_task_runs_once_and_its_log_is_whole(rows: Mapping[str, Row]) -> None:
    assert rows["task_killed"].problems == ()
    seen = rows["task_killed"].seen
    assert seen is not None
    assert (seen.runs, seen.tries, seen.missing) == (1, 2, 0)


def test_a_deferred_task_that_a_person_marks_as_failed_leaves_nothing(rows: Mapping[str, Row]) -> None:
    assert rows["marked_failed"].problems == ()
    seen = rows["marked_failed"].seen
    assert seen is not None
    assert (seen.state, seen.containers_left, seen.volumes_left) == ("failed", (), ())


def test_a_container_out_of_memory_fails_by_name_and_is_not_tried_again(rows: Mapping[str, Row]) -> None:
    assert rows["out_of_memory"].problems == ()
    seen = rows["out_of_memory"].seen
    assert seen is not None
    assert "ContainerOutOfMemoryError" in seen.errors
    assert seen.tries == 1
