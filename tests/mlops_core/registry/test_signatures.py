"""A version that no trusted key has signed is signed by a person, after it was compared with the ledger."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from mlops_core.cli.main import app
from mlops_core.errors import CorruptedDataError, DeclarationError, SigningKeyError, UntrustedModelError
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import events
from mlops_core.registry.anchors import note_heads
from mlops_core.registry.audit import verify
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.register import SIGNATURE_TAG
from mlops_core.registry.schema import EventRow, VersionRow
from mlops_core.registry.signatures import SIGNED_BY_TAG, sign_version
from mlops_core.reports import ReportStore
from mlops_core.signing.keys import generate_key_pair
from mlops_core.signing.verifier import Verifier
from registry_examples import stored_model

pytestmark = pytest.mark.integration

Sign = Callable[..., VersionRecord]


@pytest.fixture
def former(report: EvaluationReport, submit: Callable[..., VersionRecord]) -> VersionRecord:
    """A version that the session's key has signed."""
    return submit(report)


@pytest.fixture
def new_key(former: VersionRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another key, the only one that is trusted from now on."""
    assert former.signature is not None
    private, trusted = tmp_path / "new.pem", tmp_path / "trusted"
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(private))
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(trusted))
    return generate_key_pair(private, trusted)


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    return ReportStore(tmp_path / "reports")


@pytest.fixture
def sign(ledger: Ledger, client: MlflowClient, model: str, reports: ReportStore) -> Sign:
    def call(version: int = 1, *, reason: str = "looked at its run") -> VersionRecord:
        return sign_version(
            model,
            version,
            ledger=ledger,
            client=client,
            reports=reports,
            actor="grace",
            reason=reason,
            operation_key="sign",
        )

    return call


def change(folder: Path, column: str, value: str | None) -> None:
    """Change the ledger's versions behind its back."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection, connection:
        connection.execute(f"UPDATE ledger_versions SET {column} = ?", (value,))  # noqa: S608  a constant


@pytest.mark.parametrize("unsigned", [True, False])
def test_a_version_without_a_trusted_signature_gets_one_and_nothing_else_of_it_changes(
    ledger: Ledger,
    client: MlflowClient,
    former: VersionRecord,
    new_key: str,
    sign: Sign,
    tmp_path: Path,
    unsigned: bool,
) -> None:
    if unsigned:
        change(tmp_path, "signature", None)
    with pytest.raises(UntrustedModelError, match=f"mlops keys sign {former.model} 1 --reason"):
        Verifier.from_settings().verify(ledger.versions(former.model)[0])

    record = sign()

    Verifier.from_settings().verify(record)
    assert record.signature is not None
    assert record.signature.key_id == new_key
    assert ledger.versions(former.model) == (record,)
    assert record.model_copy(update={"signature": former.signature}) == former
    assert verify(ledger).sound
    tags = client.get_model_version(former.model, "1").tags
    assert tags[SIGNATURE_TAG] == record.signature.model_dump_json()
    assert tags[SIGNED_BY_TAG] == "grace: looked at its run"


@pytest.mark.usefixtures("new_key")
def test_a_version_is_signed_though_a_roll_back_has_passed_a_retired_one_by(
    ledger: Ledger,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    sign: Sign,
    model: str,
) -> None:
    for number in (1, 2, 3, 4):
        record = submit(report, key="run-1/register" if number == 1 else f"run-{number}/register")
        ledger.promote(
            model,
            version=record.version,
            expected_generation=number - 1,
            operation_key=f"promote/{number}",
            evidence_digest=report.digest(),
            actor="ada",
            reason="better",
        )
    said = {"actor": "grace", "reason": "superseded"}
    ledger.retire(model, version=2, archive="", archive_digest="", operation_key="retire", **said)
    assert [ledger.roll_back(model, operation_key=key, **said).version for key in "ab"] == [3, 1]

    assert sign(1).signature is not None


@pytest.mark.usefixtures("new_key")
def test_signed_again_it_stays_as_it_is(client: MlflowClient, sign: Sign, model: str) -> None:
    first = sign()

    assert sign(reason="once more") == first
    assert client.get_model_version(model, "1").tags[SIGNED_BY_TAG] == "grace: looked at its run"


def test_a_record_that_does_not_fit_a_trusted_signature_is_not_signed_over(
    ledger: Ledger, former: VersionRecord, sign: Sign, tmp_path: Path
) -> None:
    change(tmp_path, "run_id", "another")

    with pytest.raises(UntrustedModelError, match="does not fit its signature"):
        sign()
    assert ledger.versions(former.model)[0].signature == former.signature


@pytest.mark.usefixtures("new_key")
def test_files_that_were_changed_are_not_signed(
    ledger: Ledger, client: MlflowClient, former: VersionRecord, sign: Sign, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "MLmodel").write_text("flavors: {}\n")
    client.log_model_artifacts(former.uri.removeprefix("models:/"), str(tmp_path / "files"))

    with pytest.raises(UntrustedModelError, match="changed after they were stored"):
        sign()
    assert ledger.versions(former.model)[0].signature == former.signature


@pytest.mark.usefixtures("new_key")
def test_files_that_fit_a_ledger_that_was_changed_are_not_signed(
    ledger: Ledger, client: MlflowClient, former: VersionRecord, sign: Sign, tmp_path: Path
) -> None:
    other = stored_model(client)
    change(tmp_path, "uri", other.uri)
    change(tmp_path, "digest", other.digest)
    change(tmp_path, "signature", None)

    with pytest.raises(UntrustedModelError, match=r"something else has changed the ledger .* digest: "):
        sign()
    assert ledger.versions(former.model)[0].signature is None


@pytest.mark.usefixtures("new_key")
def test_nothing_of_a_chain_that_was_made_anew_is_signed(
    ledger: Ledger,
    former: VersionRecord,
    sign: Sign,
    reports: ReportStore,
    ledger_url: str,
) -> None:
    note_heads(ledger, reports=reports)
    engine = create_engine(ledger_url)
    with Session(engine) as session, session.begin():
        session.execute(update(VersionRow).values(actor="somebody else"))
        event = session.scalars(select(EventRow)).one()
        event.actor = "somebody else"
        event.hash = events.sealed(events.to_event(event))
    engine.dispose()
    assert verify(ledger).sound, "the ledger alone cannot tell"

    with pytest.raises(UntrustedModelError, match="the chain was made anew"):
        sign()
    assert ledger.versions(former.model) == (former,)


@pytest.mark.usefixtures("former")
def test_nothing_is_signed_beside_a_note_that_nobody_believes(
    ledger: Ledger, reports: ReportStore, sign: Sign, request: pytest.FixtureRequest, model: str
) -> None:
    note_heads(ledger, reports=reports)
    request.getfixturevalue("new_key")

    with pytest.raises(CorruptedDataError, match="that key is trusted no longer"):
        sign()
    # A person has looked, and moved it away.
    shutil.rmtree(reports.root)
    assert sign().model == model


@pytest.mark.usefixtures("new_key")
def test_a_version_of_a_ledger_that_agrees_with_its_note_is_signed(
    ledger: Ledger, reports: ReportStore, sign: Sign
) -> None:
    note_heads(ledger, reports=reports)

    assert sign().signature is not None


@pytest.mark.usefixtures("new_key")
@pytest.mark.parametrize(
    ("version", "reason", "words"), [(1, " ", "the reason is empty"), (2, "x", "no vers")]
)
def test_nothing_is_signed_without_a_reason_or_a_version(
    ledger: Ledger, former: VersionRecord, sign: Sign, version: int, reason: str, words: str
) -> None:
    with pytest.raises(DeclarationError, match=words):
        sign(version, reason=reason)
    assert ledger.versions(former.model) == (former,)


def test_a_key_that_nobody_trusts_signs_nothing(
    ledger: Ledger, former: VersionRecord, new_key: str, sign: Sign, tmp_path: Path
) -> None:
    (tmp_path / "trusted" / f"{new_key}.pub.pem").unlink()

    with pytest.raises(SigningKeyError, match="is not among the trusted keys"):
        sign()
    assert ledger.versions(former.model) == (former,)


def test_the_command_line_signs(
    client: MlflowClient,
    former: VersionRecord,
    new_key: str,
    ledger_url: str,
    reports: ReportStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLOPS_LEDGER_URL", ledger_url)
    monkeypatch.setenv("MLOPS_REPORTS_PATH", str(reports.root))
    monkeypatch.setenv("MLOPS_TRACKING_URI", client.tracking_uri)

    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, ["keys", "sign", former.model, "1", "--reason", "ours"]
    )

    assert result.exit_code == 0, result.output
    assert f"version 1 of {former.model} is signed by the key {new_key}" in result.output
