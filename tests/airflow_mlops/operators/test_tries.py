"""A cleared task begins from the beginning, and nothing else does."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mlops.operators.tries import Round, is_ended_by_person


class Store(dict[str, Any]):
    """What Airflow keeps of one task instance across its tries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def store() -> Store:
    return Store()


def look(store: Store, *, max_tries: int, retries: int, clears: int = 0) -> bool:
    """Begin a try; say whether it begins another round."""
    context: Any = {
        "task_state_store": store,
        "ti": SimpleNamespace(max_tries=max_tries),
        "dag_run": SimpleNamespace(clear_number=clears),
    }
    found = Round(context, retries=retries)
    is_another = found.is_another
    found.note()
    return is_another


def test_a_retry_is_the_same_round(store: Store) -> None:
    assert [look(store, max_tries=2, retries=2) for _ in range(3)] == [False, False, False]


def test_clearing_begins_another_round_once(store: Store) -> None:
    look(store, max_tries=2, retries=2)

    assert look(store, max_tries=3, retries=2, clears=1)
    assert not look(store, max_tries=3, retries=2, clears=1)


def test_clearing_is_seen_though_an_edit_of_the_retries_makes_up_for_it(store: Store) -> None:
    look(store, max_tries=2, retries=2)

    # It had its second try; the author took the retries away and cleared it: 2 + 0 may be had.
    assert look(store, max_tries=2, retries=0, clears=1)


def test_an_edit_of_the_retries_alone_is_no_clearing(store: Store) -> None:
    look(store, max_tries=2, retries=2)

    assert not look(store, max_tries=2, retries=0)


def test_clearing_another_task_of_the_run_is_none_of_this_one(store: Store) -> None:
    look(store, max_tries=2, retries=2)

    assert not look(store, max_tries=2, retries=2, clears=1)


@pytest.mark.parametrize(("noted", "is_another"), [(2, False), (1, True)])
def test_what_earlier_versions_noted_is_understood(store: Store, noted: int, *, is_another: bool) -> None:
    store.set("mlops_container_tries", noted)

    assert look(store, max_tries=2, retries=2) is is_another
    assert not look(store, max_tries=2, retries=2)


@pytest.mark.parametrize(
    ("states", "is_ended"),
    [
        *(({"task": state}, True) for state in ("failed", "success", "skipped", "restarting", "removed")),
        *(({"task": state}, False) for state in ("running", "queued", "deferred", "up_for_retry", None)),
        # It was deleted.
        ({}, True),
    ],
)
def test_a_running_task_is_ended_where_a_person_has_marked_cleared_or_deleted_it(
    states: dict[str, Any], *, is_ended: bool
) -> None:
    task_instance = SimpleNamespace(
        dag_id="dag", run_id="run", task_id="task", map_index=-1, get_task_states=lambda **_: {"run": states}
    )

    assert is_ended_by_person({"ti": task_instance}) is is_ended  # type: ignore[typeddict-item]
