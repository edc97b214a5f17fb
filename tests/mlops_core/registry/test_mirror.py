"""MLflow's aliases follow the ledger; what somebody changed by hand is put right and told."""

from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError, RegistryMismatchError, RegistryUnavailableError
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import mlflow_versions
from mlops_core.registry.aliases import is_mirrored
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.mirror import AliasChange, ReconcileReport, UnknownVersion, mirror_aliases, reconcile
from mlops_core.registry.production import state_of
from mlops_core.tracking import OPERATION_KEY_TAG, tracking_client
from registry_examples import stored_model

pytestmark = pytest.mark.integration


@pytest.fixture
def records(
    ledger: Ledger, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> tuple[VersionRecord, VersionRecord, VersionRecord]:
    """Version 1 rolled out, version 2 in production, version 3 the challenger; the mirror is right."""
    first, second = submit(report), submit(report, key="run-2/register")
    promote(ledger, first, expected=0)
    promote(ledger, second, expected=1)
    return first, second, submit(report, key="run-3/register")


def promote(ledger: Ledger, record: VersionRecord, *, expected: int) -> None:
    assert record.evidence_digest is not None
    ledger.promote(
        record.model,
        version=record.version,
        expected_generation=expected,
        operation_key=f"{record.model}/promote/{expected}",
        evidence_digest=record.evidence_digest,
        actor="ada",
        reason="",
    )


def aliases(client: MlflowClient, model: str) -> dict[str, str]:
    return dict(client.get_registered_model(model).aliases)


Records = tuple[VersionRecord, VersionRecord, VersionRecord]


def test_a_mirror_that_is_right_is_left_alone(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    assert aliases(client, model) == {"champion": "2", "challenger": "3"}
    assert records[2].version == 3

    assert mirror_aliases(model, ledger=ledger, client=client) == ()
    assert reconcile(ledger=ledger, client=client) == ReconcileReport(models=(model,))
    assert reconcile(ledger=ledger, client=client).agreed


@pytest.mark.parametrize("version", [1, 3, None])
def test_a_champion_changed_by_hand_is_put_right_and_told(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, version: int | None
) -> None:
    assert len(records) == 3
    if version is None:
        client.delete_registered_model_alias(model, "champion")
    else:
        client.set_registered_model_alias(model, "champion", str(version))

    report = reconcile(ledger=ledger, client=client)

    assert report.changes == (
        AliasChange(model=model, alias="champion", found=version, expected=2, by_hand=True),
    )
    assert not report.agreed
    assert aliases(client, model) == {"champion": "2", "challenger": "3"}
    assert reconcile(ledger=ledger, client=client).agreed


def test_an_alias_that_should_not_be_there_is_removed(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    promote(ledger, records[2], expected=2)
    mirror_aliases(model, ledger=ledger, client=client)
    client.set_registered_model_alias(model, "challenger", "1")

    report = reconcile(ledger=ledger, client=client, models=[model])

    assert report.changes == (
        AliasChange(model=model, alias="challenger", found=1, expected=None, by_hand=True),
    )
    assert aliases(client, model) == {"champion": "3"}


def test_other_aliases_are_nobodys_business(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    client.set_registered_model_alias(model, "my_favourite", str(records[0].version))

    assert reconcile(ledger=ledger, client=client).agreed
    assert aliases(client, model)["my_favourite"] == "1"


def test_a_mirror_that_had_yet_to_follow_is_not_blamed_on_anybody(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    promote(ledger, records[2], expected=2)

    report = reconcile(ledger=ledger, client=client)

    assert report.changes == (
        AliasChange(model=model, alias="champion", found=2, expected=3, by_hand=False),
        AliasChange(model=model, alias="challenger", found=3, expected=None, by_hand=False),
    )
    assert aliases(client, model) == {"champion": "3"}


def test_a_promotion_that_comes_while_the_mirror_looks_is_not_blamed_on_anybody(
    ledger: Ledger,
    client: MlflowClient,
    model: str,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert reconcile(ledger=ledger, client=client).agreed
    looked, moved = [state_of, is_mirrored], list[str]()

    def moving(look: Callable[..., Any]) -> Callable[..., Any]:
        def looks(session: Session, name: str) -> Any:
            seen = look(session, name)
            if not moved:
                moved.append(look.__name__)
                promote(ledger, records[2], expected=2)
            return seen

        return looks

    for look in looked:
        monkeypatch.setattr(f"mlops_core.registry.aliases.{look.__name__}", moving(look))

    report = reconcile(ledger=ledger, client=client)

    assert moved
    assert [change for change in report.changes if change.by_hand] == []
    assert reconcile(ledger=ledger, client=client).changes == (
        AliasChange(model=model, alias="champion", found=2, expected=3, by_hand=False),
        AliasChange(model=model, alias="challenger", found=3, expected=None, by_hand=False),
    )


def test_versions_that_the_ledger_does_not_know_are_reported_and_kept(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    stored = stored_model(client)
    mlflow_versions.create_version(client, model, stored=stored, tags={})
    mlflow_versions.create_version(client, model, stored=stored, tags={OPERATION_KEY_TAG: "cut short"})

    report = reconcile(ledger=ledger, client=client)

    assert report.unknown_versions == (
        UnknownVersion(model=model, version=4, source=stored.uri, operation_key=None),
        UnknownVersion(model=model, version=5, source=stored.uri, operation_key="cut short"),
    )
    assert report.changes == ()
    assert not report.agreed
    assert len(mlflow_versions.search_versions(client, model)) == len(records) + 2


def test_a_champion_deleted_from_mlflow_is_reported_and_the_other_alias_healed_all_the_same(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    client.delete_model_version(model, "2")
    client.set_registered_model_alias(model, "challenger", "1")

    report = reconcile(ledger=ledger, client=client)

    assert report.missing_versions == (records[1],)
    assert [change.alias for change in report.changes] == ["challenger"]
    assert aliases(client, model) == {"challenger": "3"}
    with pytest.raises(RegistryMismatchError, match=r"no version 2 .* deleted by hand"):
        mirror_aliases(model, ledger=ledger, client=client)


def test_a_registered_model_deleted_from_mlflow_is_reported_version_by_version(
    ledger: Ledger, client: MlflowClient, model: str, records: Records
) -> None:
    client.delete_registered_model(model)

    assert reconcile(ledger=ledger, client=client).missing_versions == records


def test_a_mirror_that_falls_behind_while_it_writes_catches_up(
    ledger: Ledger,
    client: MlflowClient,
    model: str,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.delete_registered_model_alias(model, "champion")
    set_alias = MlflowClient.set_registered_model_alias

    def set_after_another_came_first(self: MlflowClient, name: str, alias: str, version: str) -> None:
        if ledger.state(model).generation == 2:
            promote(ledger, records[0], expected=2)
            mirror_aliases(model, ledger=ledger, client=client)
        set_alias(self, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", set_after_another_came_first)

    mirror_aliases(model, ledger=ledger, client=client)

    assert aliases(client, model) == {"champion": "1", "challenger": "3"}


def test_a_model_that_the_ledger_does_not_know_keeps_its_aliases(
    ledger: Ledger, client: MlflowClient, model: str
) -> None:
    mlflow_versions.create_version(client, model, stored=stored_model(client), tags={})
    client.set_registered_model_alias(model, "champion", "1")

    with pytest.raises(DeclarationError, match=f"the ledger knows no model '{model}'; models it knows: none"):
        mirror_aliases(model, ledger=ledger, client=client)

    assert aliases(client, model) == {"champion": "1"}


def test_an_absent_server_is_an_error_that_may_pass(ledger: Ledger, records: Records) -> None:
    assert len(records) == 3

    with pytest.raises(RegistryUnavailableError):
        reconcile(ledger=ledger, client=tracking_client("http://127.0.0.1:9"))
