"""Retiring a version: what is kept, what is refused, and that it happens once wherever it is ended."""

import json
import pkgutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mlops_core.artifacts import find_artifact
from mlops_core.errors import DeclarationError, RetirementRefusedError, UntrustedModelError
from mlops_core.registry.records import ApprovalRequest
from mlops_core.retirement.archive import check_archive
from mlops_core.retirement.pack import opened
from retirement_examples import Estate

pytestmark = pytest.mark.integration


class KilledError(BaseException):
    """Ends a call as a signal would: nothing catches it."""


@pytest.fixture
def two(estate: Estate) -> Estate:
    """A version that nothing uses, and the challenger."""
    estate.version(1)
    estate.version(2)
    return estate


def test_a_retired_version_is_archived_recorded_and_gone_from_the_registry(two: Estate) -> None:
    record = two.records.ledger.versions(two.model)[0]

    retirement = two.retire(1)

    assert two.records.ledger.retirements(two.model) == (retirement,)
    assert retirement.archive == f"{two.model}/v1-{record.digest[:12]}.tar.gz"
    assert two.registered() == [2]
    assert find_artifact(two.records.client, record.run_id, "train_job.json"), "the run went as well"
    manifest, files = opened((two.folder / retirement.archive).read_bytes())
    assert manifest.record == record
    assert set(files) == {
        "model/MLmodel",
        "model/weights/model.skops",
        "card/card.html",
        "card/card.json",
        "card/card.md",
        "evidence/report.json",
        "run/environment.json",
        "run/train_job.json",
    }
    assert manifest.gaps == (f"run {record.run_id} holds no train_result.json",)


def test_the_archive_of_a_retired_version_can_be_checked(two: Estate) -> None:
    retirement = two.retire(1)
    record = two.records.ledger.versions(two.model)[0]

    checked = check_archive(retirement, record=record, folder=str(two.folder))

    assert checked.archive_digest == retirement.archive_digest
    assert record.signature is not None
    assert checked.key_id == record.signature.key_id


def _killing(step: str, *, moment: str) -> Callable[..., None]:
    work = pkgutil.resolve_name(step)

    def killed(*arguments: Any, **options: Any) -> None:
        if moment == "after":
            work(*arguments, **options)
        raise KilledError

    return killed


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    [
        "mlops_core.retirement.retire.write_card",
        "mlops_core.retirement.archive.storage.write_file",
        "mlops_core.registry.ledger.Ledger.retire",
        "mlops_core.retirement.retire.delete_version",
        "mlops_core.retirement.retire.free_archives",
    ],
)
def test_killed_anywhere_and_tried_again_it_happens_once(
    two: Estate, monkeypatch: pytest.MonkeyPatch, step: str, moment: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(step, _killing(step, moment=moment))
        with pytest.raises(KilledError):
            two.retire(1)

    retirement = two.retire(1)

    assert two.retire(1) == retirement
    assert two.records.ledger.retirements(two.model) == (retirement,)
    assert [event.kind for event in two.records.ledger.events(two.model)].count("retire") == 1
    assert two.registered() == [2]
    assert two.archives() == [retirement.archive]
    record = two.records.ledger.versions(two.model)[0]
    check_archive(retirement, record=record, folder=str(two.folder))


def test_a_broken_archive_of_a_former_try_is_made_anew(two: Estate) -> None:
    record = two.records.ledger.versions(two.model)[0]
    left = two.folder / two.model / f"v1-{record.digest[:12]}.tar.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"cut")

    retirement = two.retire(1)

    check_archive(retirement, record=record, folder=str(two.folder))


def test_a_card_of_which_a_part_is_missing_is_written_whole(two: Estate) -> None:
    record = two.records.ledger.versions(two.model)[0]
    two.records.client.log_text(record.run_id, "{}", "card/v1/card.json")

    retirement = two.retire(1)

    _, files = opened((two.folder / retirement.archive).read_bytes())
    assert {"card/card.html", "card/card.md"} <= set(files)
    assert json.loads(files["card/card.json"])["version"] == 1


def test_an_archive_that_a_refused_try_left_is_replaced_where_the_card_was_written_again(
    two: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = two.records.ledger.versions(two.model)[0]

    def refused(*_: Any, **__: Any) -> None:
        raise RetirementRefusedError("it was promoted in between")

    with monkeypatch.context() as patch:
        patch.setattr("mlops_core.registry.ledger.Ledger.retire", refused)
        with pytest.raises(RetirementRefusedError):
            two.retire(1)
    two.records.client.log_text(record.run_id, "approved by grace", "card/v1/card.md")

    retirement = two.retire(1, operation_key="again")

    _, files = opened((two.folder / retirement.archive).read_bytes())
    assert files["card/card.md"] == b"approved by grace"
    check_archive(retirement, record=record, folder=str(two.folder))


def _in_production(estate: Estate) -> None:
    estate.records.promote(estate.records.ledger.versions(estate.model)[0])


def _beneath(estate: Estate) -> None:
    for record in estate.records.ledger.versions(estate.model):
        estate.records.promote(record)


def _served(estate: Estate) -> None:
    first, second = estate.records.ledger.versions(estate.model)
    estate.records.promote(second)
    estate.records.promote(first)
    estate.records.deploy(first)
    estate.records.ledger.roll_back(estate.model, operation_key="back", actor="ada", reason="worse")


def _asked_about(estate: Estate) -> None:
    record = estate.records.ledger.versions(estate.model)[0]
    estate.records.ledger.request_approval(
        ApprovalRequest(
            model=estate.model,
            version=1,
            generation=0,
            evidence_digest=str(record.evidence_digest),
            risk="medium",
            requested_by="ada",
            dag_id="toy__train",
            run_id="manual__1",
            task_id="approve",
            operation_key=f"{estate.model}/ask",
            at=estate.clock.now,
            expires_at=estate.clock.now + timedelta(hours=1),
        )
    )


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (_in_production, "it is in production; promote another version"),
        (_beneath, "a roll back would return to it"),
        (_served, "the model server serves it"),
        (_asked_about, "its approval is asked for by toy__train manual__1"),
    ],
)
def test_a_version_that_something_depends_on_is_refused_in_words_and_nothing_is_done(
    two: Estate, arrange: Callable[[Estate], None], words: str
) -> None:
    arrange(two)

    with pytest.raises(RetirementRefusedError, match=words):
        two.retire(1)

    assert (two.archives(), two.registered(), two.records.ledger.retirements(two.model)) == ([], [1, 2], ())


def test_the_challenger_and_what_the_caller_knows_are_all_named(two: Estate) -> None:
    with pytest.raises(RetirementRefusedError) as refusal:
        two.retire(2, in_use=["run 7 of toy__score scores with it"])

    assert "it is the challenger" in str(refusal.value)
    assert "run 7 of toy__score scores with it" in str(refusal.value)


@pytest.mark.parametrize(
    ("arrange", "words"),
    [(_in_production, "it is in production"), (_asked_about, "its approval is asked for by toy__train")],
)
def test_what_comes_between_wins(
    two: Estate, monkeypatch: pytest.MonkeyPatch, arrange: Callable[[Estate], None], words: str
) -> None:
    def between(*_: Any, **__: Any) -> None:
        arrange(two)

    monkeypatch.setattr("mlops_core.retirement.retire.require_unused", between)

    with pytest.raises(RetirementRefusedError, match=words):
        two.retire(1)

    assert two.registered() == [1, 2]


def test_a_version_is_retired_by_one_operation(two: Estate) -> None:
    retirement = two.retire(1)
    (two.folder / retirement.archive).unlink()

    with pytest.raises(RetirementRefusedError, match="'ada' retired it"):
        two.retire(1, operation_key="another")

    assert two.archives() == []


def test_a_version_whose_files_were_changed_is_not_retired(
    two: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_core.models.stored.model_digest", lambda _: "other")

    with pytest.raises(UntrustedModelError):
        two.retire(1)

    assert two.records.ledger.retirements(two.model) == ()


def test_an_unknown_version_or_another_models_pipeline_is_used_wrongly(two: Estate) -> None:
    with pytest.raises(DeclarationError, match="versions it has: 1, 2"):
        two.retire(9)
    with pytest.raises(DeclarationError, match="the pipeline is 'another'"):
        two.retire(1, pipeline=two.pipeline.model_copy(update={"name": "another"}))
