"""One evaluation report that passed becomes one version, however often it is tried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlops_core.errors import (
    DeclarationError,
    GateRefusedError,
    RegistryMismatchError,
    RegistryUnavailableError,
    SigningKeyError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import mlflow_versions
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.register import SIGNATURE_TAG
from mlops_core.signing.keys import generate_key_pair
from mlops_core.tracking import OPERATION_KEY_TAG
from registry_examples import stored_model
from servers import MlflowServer
from signing_keys import signed

pytestmark = pytest.mark.integration


def versions(client: MlflowClient, model: str) -> list[int]:
    return sorted(int(version.version) for version in client.search_model_versions(f"name = '{model}'"))


def test_a_version_says_what_it_is_and_on_what_evidence(
    client: MlflowClient, ledger: Ledger, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    record = submit(report)

    stored = report.challenger.model
    assert record == signed(
        VersionRecord(
            model=report.pipeline,
            version=1,
            digest=stored.digest,
            uri=stored.uri,
            run_id=stored.run_id,
            evidence_digest=report.digest(),
        )
    )
    assert record.signature is not None
    assert ledger.state(report.pipeline).challenger == record
    registered = client.get_model_version(report.pipeline, "1")
    assert (registered.source, registered.run_id) == (stored.uri, stored.run_id)
    assert registered.tags == {
        OPERATION_KEY_TAG: f"{report.pipeline}/run-1/register",
        "mlops.digest": stored.digest,
        "mlops.evidence_digest": report.digest(),
        "mlops.snapshot": f"/data/flight_delay@5 {report.snapshot.digest}",
        "mlops.candidate": "boosted_trees",
        "mlops.signature": record.signature.model_dump_json(),
    }
    assert client.get_registered_model(report.pipeline).aliases == {"challenger": "1"}


def test_the_same_key_registers_once_and_another_key_again(
    client: MlflowClient, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    first = submit(report)

    assert submit(report) == first
    assert submit(report, key="run-2/register").version == 2
    assert versions(client, report.pipeline) == [1, 2]


def test_an_operation_key_may_hold_a_quote(
    client: MlflowClient, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    assert submit(report, key="ada's run") == submit(report, key="ada's run")
    assert versions(client, report.pipeline) == [1]


@pytest.mark.parametrize("verdicts", ["refused", "none"])
def test_a_report_that_did_not_pass_is_not_registered(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    verdicts: str,
) -> None:
    refusals = [verdict.model_copy(update={"passed": False}) for verdict in report.verdicts]
    refused = report.model_copy(update={"verdicts": tuple(refusals) if verdicts == "refused" else ()})

    with pytest.raises(GateRefusedError):
        submit(refused)

    assert versions(client, report.pipeline) == []
    assert ledger.models() == ()


def test_a_second_version_from_a_lost_reply_is_deleted_and_the_lower_number_kept(
    client: MlflowClient,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = MlflowClient.create_model_version

    def create_twice(self: MlflowClient, *args: Any, **kwargs: Any) -> Any:
        # What the client does by itself when the first reply is lost: it posts again.
        create(self, *args, **kwargs)
        return create(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "create_model_version", create_twice)

    assert submit(report).version == 1
    assert versions(client, report.pipeline) == [1]


def test_numbers_that_mlflow_gives_again_after_its_model_was_deleted_are_left_out(
    client: MlflowClient, ledger: Ledger, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    submit(report)
    client.delete_registered_model(report.pipeline)
    newer = report.model_copy(update={"seed": 1})

    record = submit(newer, key="run-2/register")

    assert record.version == 2
    assert versions(client, report.pipeline) == [2]
    assert [known.version for known in ledger.versions(report.pipeline)] == [1, 2]


def test_a_version_that_bears_the_key_but_other_files_is_refused(
    client: MlflowClient, ledger: Ledger, report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    planted = stored_model(client)
    mlflow_versions.create_version(
        client,
        report.pipeline,
        stored=planted,
        tags={OPERATION_KEY_TAG: f"{report.pipeline}/run-1/register"},
    )

    with pytest.raises(RegistryMismatchError, match=f"comes from {planted.uri}, not from"):
        submit(report)

    assert ledger.models() == ()


def test_a_key_that_registered_one_report_does_not_register_another(
    report: EvaluationReport, submit: Callable[..., VersionRecord]
) -> None:
    submit(report)

    with pytest.raises(DeclarationError, match="cannot register"):
        submit(report.model_copy(update={"seed": 1}))


def test_registration_goes_on_where_it_was_when_the_server_comes_back(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    mlflow_server: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_version = Ledger.record_version

    def record_and_lose_the_server(self: Ledger, *args: Any, **kwargs: Any) -> VersionRecord:
        record = record_version(self, *args, **kwargs)
        mlflow_server.stop()
        return record

    try:
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "record_version", record_and_lose_the_server)
            with pytest.raises(RegistryUnavailableError):
                submit(report)
        recorded = ledger.state(report.pipeline).challenger
    finally:
        mlflow_server.start()

    assert submit(report) == recorded
    assert versions(client, report.pipeline) == [1]
    assert client.get_registered_model(report.pipeline).aliases == {"challenger": "1"}


def test_without_a_key_nothing_is_made(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "nowhere.pem"))

    with pytest.raises(SigningKeyError, match="make a pair with `mlops keys make`"):
        submit(report)

    assert client.search_registered_models(f"name = '{report.pipeline}'") == []
    assert ledger.models() == ()


def test_a_version_keeps_the_signature_of_its_first_try_when_the_key_is_another_one_by_then(
    client: MlflowClient,
    report: EvaluationReport,
    submit: Callable[..., VersionRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = submit(report)
    assert first.signature is not None
    client.delete_model_version_tag(report.pipeline, "1", SIGNATURE_TAG)
    generate_key_pair(tmp_path / "signing.pem", tmp_path / "trusted")
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "signing.pem"))
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(tmp_path / "trusted"))

    assert submit(report) == first
    tags = client.get_model_version(report.pipeline, "1").tags
    assert tags[SIGNATURE_TAG] == first.signature.model_dump_json()
