"""Which archives are freed, and which never are."""

from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from mlops_core.errors import ArchiveMissingError, EvaluationError
from mlops_core.retirement.archive import check_archive
from retirement_examples import Estate

pytestmark = pytest.mark.integration


def versions_of(estate: Estate) -> list[int]:
    """Return the versions that have an archive."""
    return [int(name.rpartition("/v")[2].partition("-")[0]) for name in estate.archives()]


@pytest.fixture
def crowd(estate: Estate) -> Estate:
    """Three versions that nothing uses, and a challenger; retention keeps one archive, or 30 days."""
    for number in (1, 2, 3, 4):
        estate.version(number)
    return estate


def test_the_latest_and_the_young_are_kept_and_the_others_freed(crowd: Estate) -> None:
    crowd.retire(1)
    crowd.clock.forward(days=20)
    crowd.retire(2)
    assert versions_of(crowd) == [1, 2], "20 days are young"
    crowd.clock.forward(days=20)

    crowd.retire(3)

    assert versions_of(crowd) == [2, 3]


def test_a_freed_archive_says_when_and_why(crowd: Estate) -> None:
    first = crowd.retire(1)
    freed = crowd.clock.forward(days=40)
    crowd.retire(2)

    with pytest.raises(ArchiveMissingError) as missing:
        check_archive(first, record=crowd.records.ledger.versions(crowd.model)[0], folder=str(crowd.folder))

    assert f"was freed at {freed.isoformat()}: retention keeps the latest 1" in str(missing.value)


def test_with_the_archive_goes_the_model_that_mlflow_holds(crowd: Estate) -> None:
    stored = [record.uri.removeprefix("models:/") for record in crowd.records.ledger.versions(crowd.model)]
    crowd.retire(1)
    crowd.clock.forward(days=40)

    crowd.retire(2)

    assert versions_of(crowd) == [2]
    with pytest.raises(MlflowException, match="not found"):
        crowd.records.client.get_logged_model(stored[0])
    assert crowd.records.client.get_logged_model(stored[1]).model_id == stored[1]


def test_a_model_that_a_kept_version_shares_stays_in_mlflow(crowd: Estate) -> None:
    first = crowd.records.ledger.versions(crowd.model)[0]
    crowd.records.ledger.record_version(
        first.model_copy(update={"version": 9}), operation_key="shared", actor="train"
    )
    crowd.retire(1)
    crowd.clock.forward(days=40)

    crowd.retire(2)

    assert versions_of(crowd) == [2]
    model_id = first.uri.removeprefix("models:/")
    assert crowd.records.client.get_logged_model(model_id).model_id == model_id


def test_the_archive_that_kept_evidence_names_is_kept_and_so_on_back(estate: Estate) -> None:
    estate.version(1)
    estate.version(2, against=1)
    estate.version(3, against=2)
    estate.version(4)
    estate.version(5, against=3)
    for number in (1, 2, 3, 4):
        estate.retire(number)
        estate.clock.forward(days=40)

    estate.version(6)
    estate.retire(5)

    assert versions_of(estate) == [1, 2, 3, 5]


def test_where_evidence_cannot_be_read_nothing_is_freed(
    crowd: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any, **__: Any) -> None:
        raise EvaluationError("gone")

    crowd.retire(1)
    crowd.clock.forward(days=40)
    monkeypatch.setattr("mlops_core.retirement.retention.read_report", unreadable)

    crowd.retire(2)

    assert versions_of(crowd) == [1, 2]


def test_a_freed_archive_whose_deletion_was_interrupted_is_deleted_the_next_time(
    crowd: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.retire(1)
    crowd.clock.forward(days=40)

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlops_core.retirement.retention.storage.remove_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crowd.retire(2)
    assert versions_of(crowd) == [1, 2]

    crowd.retire(2)

    assert versions_of(crowd) == [2]


def test_a_freed_archive_is_not_made_again_when_its_retirement_is_repeated(
    crowd: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: Any, **__: Any) -> None:
        pytest.fail("the archive was made again")

    first = crowd.retire(1)
    crowd.clock.forward(days=40)
    crowd.retire(2)
    monkeypatch.setattr("mlops_core.retirement.retire.make_archive", made)

    assert crowd.retire(1) == first
    assert versions_of(crowd) == [2]
