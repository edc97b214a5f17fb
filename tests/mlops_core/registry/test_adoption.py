"""A champion that was set by hand in MLflow is taken over with a name and a reason, or put back."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from mlops_core.cli.main import app
from mlops_core.errors import (
    DeclarationError,
    MlopsError,
    PromotionConflictError,
    RegistryMismatchError,
    RegistryUnavailableError,
    UntrustedModelError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import adoption, mlflow_versions
from mlops_core.registry.adoption import adopt_manual_change
from mlops_core.registry.ledger import Ledger, Transition, VersionRecord
from mlops_core.registry.mirror import mirror_aliases, reconcile
from registry_examples import stored_model, version_record
from servers import MlflowServer

pytestmark = pytest.mark.integration

Adopt = Callable[..., Transition]


@pytest.fixture
def records(
    ledger: Ledger, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> tuple[VersionRecord, VersionRecord]:
    """Version 1 in production, version 2 set by hand in MLflow."""
    first, second = submit(report), submit(report, key="run-2/register")
    ledger.promote(
        report.pipeline,
        version=1,
        expected_generation=0,
        operation_key=f"{report.pipeline}/promote",
        evidence_digest=report.digest(),
        actor="ada",
        reason="better",
    )
    return first, second


@pytest.fixture
def _addresses(ledger_url: str, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command find the ledger and the server."""
    monkeypatch.setenv("MLOPS_LEDGER_URL", ledger_url)
    monkeypatch.setenv("MLOPS_TRACKING_URI", mlflow_server.uri)


@pytest.fixture
def adopt(ledger: Ledger, client: MlflowClient, model: str) -> Adopt:
    def call(key: str = "adopt", *, deploys: bool = False) -> Transition:
        return adopt_manual_change(
            model,
            ledger=ledger,
            client=client,
            reason="the incident of Sunday",
            actor="grace",
            operation_key=f"{model}/{key}",
            deploys=deploys,
        )

    return call


Records = tuple[VersionRecord, VersionRecord]


def test_a_champion_that_was_set_by_hand_becomes_the_ledgers(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    client.set_registered_model_alias(model, "champion", "2")

    transition = adopt()

    assert (transition.kind, transition.version, transition.previous_version) == ("adopt", 2, 1)
    assert (transition.actor, transition.reason) == ("grace", "the incident of Sunday")
    assert ledger.state(model).champion == records[1]
    assert dict(client.get_registered_model(model).aliases) == {"champion": "2"}
    assert reconcile(ledger=ledger, client=client).agreed


def test_adopting_again_with_the_same_key_adopts_nothing_new(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    client.set_registered_model_alias(model, "champion", "2")
    first = adopt()
    client.set_registered_model_alias(model, "champion", str(records[0].version))

    assert adopt() == first
    assert dict(client.get_registered_model(model).aliases)["champion"] == "2"
    assert len(ledger.history(model)) == 2


def test_an_adoption_that_another_run_began_is_taken_up(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    client.set_registered_model_alias(model, "champion", str(records[1].version))
    first = adopt("the run that was ended before it deployed")
    assert ledger.deployments() == ()

    assert adopt("the run after it", deploys=True) == first
    assert [held.version.version for held in ledger.deployments()] == [2]
    assert len(ledger.history(model)) == 2


def test_what_a_roll_back_has_brought_back_is_no_adoption_to_take_up(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    client.set_registered_model_alias(model, "champion", str(records[1].version))
    adopt()
    ledger.adopt(
        model,
        version=1,
        expected_generation=2,
        actor="ada",
        reason="back",
        operation_key=f"{model}/back",
    )
    ledger.roll_back(model, operation_key=f"{model}/forth", actor="ada", reason="forth")

    with pytest.raises(PromotionConflictError, match="in production already"):
        adopt("another")


@pytest.mark.parametrize("error", [RegistryUnavailableError, RegistryMismatchError])
def test_what_is_adopted_is_served_though_mlflow_cannot_follow(
    ledger: Ledger,
    client: MlflowClient,
    model: str,
    records: Records,
    adopt: Adopt,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[MlopsError],
) -> None:
    client.set_registered_model_alias(model, "champion", str(records[1].version))
    deployed: list[int] = []

    def fail(*_: object, **__: object) -> None:
        deployed.extend(held.version.version for held in ledger.deployments())
        raise error("the server went away")

    with monkeypatch.context() as patched:
        patched.setattr(adoption, "mirror_aliases", fail)
        transition = adopt(deploys=True)

    assert (transition.version, deployed) == (2, [2]), "production waited for MLflow"
    assert "are left to be reconciled: the server went away" in caplog.text
    assert not ledger.is_mirrored(model)
    reconcile(ledger=ledger, client=client)
    assert ledger.is_mirrored(model)


def test_what_is_in_production_or_named_by_nobody_is_not_adopted(
    client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    assert records
    with pytest.raises(RegistryMismatchError, match="MLflow names no champion"):
        adopt()
    client.set_registered_model_alias(model, "champion", "1")
    with pytest.raises(PromotionConflictError, match="in production already"):
        adopt()


def test_a_version_that_nobody_registered_is_not_adopted(
    client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    assert records
    mlflow_versions.create_version(client, model, stored=stored_model(client), tags={})
    client.set_registered_model_alias(model, "champion", "3")

    with pytest.raises(DeclarationError, match=r"no version 3 in the ledger; versions it has: 1, 2"):
        adopt()


def test_a_version_that_is_not_signed_is_not_adopted(
    ledger: Ledger, client: MlflowClient, model: str, records: Records, adopt: Adopt
) -> None:
    assert records
    stored = stored_model(client)
    mlflow_versions.create_version(client, model, stored=stored, tags={})
    unsigned = version_record(3, model=model, digest=stored.digest, uri=stored.uri, run_id=stored.run_id)
    ledger.record_version(unsigned, operation_key=f"{model}/unsigned", actor="train")
    client.set_registered_model_alias(model, "champion", "3")

    with pytest.raises(UntrustedModelError, match="is not signed"):
        adopt()

    assert ledger.state(model).generation == 1


def test_files_that_were_changed_are_not_adopted(
    client: MlflowClient, model: str, records: Records, adopt: Adopt, tmp_path: Path
) -> None:
    (tmp_path / "MLmodel").write_text("model_id: another\n")
    client.log_model_artifacts(records[1].uri.removeprefix("models:/"), str(tmp_path))
    client.set_registered_model_alias(model, "champion", "2")

    with pytest.raises(UntrustedModelError):
        adopt()


@pytest.mark.usefixtures("_addresses")
def test_the_command_adopts_in_the_name_of_who_calls_it(
    ledger: Ledger,
    client: MlflowClient,
    model: str,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    client.set_registered_model_alias(model, "champion", str(records[1].version))

    result = CliRunner().invoke(app, ["adopt", model, "--reason", "the incident of Sunday"])

    assert result.exit_code == 0, result.output
    assert f"adopted version 2 of {model}: generation 2" in " ".join(result.output.split())
    assert "aliases" not in result.output
    assert [held.version.version for held in ledger.deployments()] == [2]
    assert [(move.kind, move.actor) for move in ledger.history(model)] == [
        ("promote", "ada"),
        ("adopt", "grace"),
    ]
    again = CliRunner().invoke(app, ["adopt", model, "--reason", "again"])
    assert again.exit_code == 0, again.output
    assert f"version 2 of {model} was adopted by grace already: the incident of Sunday" in " ".join(
        again.output.split()
    )
    assert len(ledger.history(model)) == 2
    assert [held.version.version for held in ledger.deployments()] == [2]
    chosen = CliRunner().invoke(app, ["adopt", model, "--reason", "back", "--version", "1"])
    assert chosen.exit_code == 0, chosen.output
    assert dict(client.get_registered_model(model).aliases) == {"champion": "1"}


@pytest.mark.usefixtures("_addresses", "records")
def test_the_command_mends_what_an_unreachable_mlflow_left(
    ledger: Ledger, client: MlflowClient, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fail = create_autospec(mirror_aliases, side_effect=RegistryUnavailableError("no answer"))
        patched.setattr(adoption, "mirror_aliases", fail)
        first = CliRunner().invoke(app, ["adopt", model, "--reason", "urgent", "--version", "2"])

    assert first.exit_code == 0, first.output
    assert "MLflow's aliases do not show it yet" in " ".join(first.output.split())
    assert [held.version.version for held in ledger.deployments()] == [2]

    again = CliRunner().invoke(app, ["adopt", model, "--reason", "urgent", "--version", "2"])
    assert again.exit_code == 0, again.output
    assert "aliases" not in again.output
    assert dict(client.get_registered_model(model).aliases) == {"champion": "2"}
    assert [held.revision for held in ledger.deployments()] == [1]


def test_a_retired_version_that_was_deleted_from_mlflow_is_not_missed(
    ledger: Ledger,
    client: MlflowClient,
    model: str,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
) -> None:
    submit(report)
    submit(report, key="run-2/register")
    client.delete_model_version(model, "1")
    assert [record.version for record in reconcile(ledger=ledger, client=client).missing_versions] == [1]

    ledger.retire(
        model,
        version=1,
        archive="",
        archive_digest="",
        actor="grace",
        reason="superseded",
        operation_key=f"{model}/retire",
    )

    assert reconcile(ledger=ledger, client=client).agreed
