"""The ledger moves first and decides; MLflow follows, at the latest when the task is tried again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlops_core.errors import (
    ApprovalMissingError,
    DeclarationError,
    GateRefusedError,
    PromotionConflictError,
    RegistryMismatchError,
    RegistryUnavailableError,
    RollbackRefusedError,
    UntrustedModelError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import mlflow_versions, promotion
from mlops_core.registry.ledger import Ledger, Transition, VersionRecord
from servers import MlflowServer

pytestmark = pytest.mark.integration

Submit = Callable[..., VersionRecord]


def against(report: EvaluationReport, generation: int) -> EvaluationReport:
    return report.model_copy(update={"generation": generation})


@pytest.fixture
def promote(
    ledger: Ledger, mlflow_server: MlflowServer, report: EvaluationReport
) -> Callable[..., Transition]:
    def call(record: VersionRecord, *, expected: int, key: str = "", **judged: Any) -> Transition:
        return promotion.promote(
            record,
            report=against(report, expected).model_copy(update=judged),
            operation_key=key or f"{record.model}/promote/{record.version}/{expected}",
            actor="ada",
            reason="better",
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )

    return call


@pytest.fixture
def roll_back(ledger: Ledger, mlflow_server: MlflowServer) -> Callable[..., Transition]:
    def call(model: str, *, key: str = "roll_back") -> Transition:
        return promotion.roll_back(
            model,
            operation_key=f"{model}/{key}",
            actor="grace",
            reason="complaints",
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )

    return call


def aliases(client: MlflowClient, model: str) -> dict[str, str]:
    return dict(client.get_registered_model(model).aliases)


def test_promotions_and_roll_backs_show_in_mlflow(
    client: MlflowClient,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    roll_back: Callable[..., Transition],
) -> None:
    model = report.pipeline
    promote(submit(report), expected=0)
    assert aliases(client, model) == {"champion": "1"}
    second = submit(against(report, 1), key="run-2/register")
    assert aliases(client, model) == {"champion": "1", "challenger": "2"}

    assert promote(second, expected=1).previous_version == 1
    assert aliases(client, model) == {"champion": "2"}

    assert roll_back(model).version == 1
    assert aliases(client, model) == {"champion": "1"}
    with pytest.raises(RollbackRefusedError):
        roll_back(model, key="another")
    assert aliases(client, model) == {"champion": "1"}


def test_the_loser_of_two_promotions_changes_no_alias(
    client: MlflowClient, report: EvaluationReport, submit: Submit, promote: Callable[..., Transition]
) -> None:
    first, second = submit(report), submit(report, key="run-2/register")
    promote(first, expected=0)

    with pytest.raises(PromotionConflictError, match="'ada' promoted version 1"):
        promote(second, expected=0)

    assert aliases(client, report.pipeline) == {"champion": "1", "challenger": "2"}


def test_a_promotion_that_is_tried_again_after_a_roll_back_does_not_undo_it(
    client: MlflowClient,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    roll_back: Callable[..., Transition],
) -> None:
    promote(submit(report), expected=0)
    second = submit(against(report, 1), key="run-2/register")
    first_try = promote(second, expected=1)
    roll_back(report.pipeline)

    assert promote(second, expected=1) == first_try
    assert aliases(client, report.pipeline) == {"champion": "1"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"evidence_digest": None}, GateRefusedError, "has no evaluation report that passed"),
        ({"evidence_digest": "forged"}, GateRefusedError, "registered with the evaluation report forged"),
        ({"run_id": "forged"}, UntrustedModelError, "does not fit its signature"),
    ],
)
def test_a_version_without_its_evidence_is_not_promoted(
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    changes: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    record = submit(report).model_copy(update=changes)

    with pytest.raises(error, match=words):
        promote(record, expected=0)

    assert ledger.state(report.pipeline).generation == 0


def test_a_version_is_promoted_on_the_very_report_that_it_was_registered_with(
    ledger: Ledger, report: EvaluationReport, submit: Submit, promote: Callable[..., Transition]
) -> None:
    promote(submit(report), expected=0)
    late = submit(report, key="run-2/register")
    risky = submit(against(report, 1).model_copy(update={"risk": "high"}), key="run-3/register")

    with pytest.raises(GateRefusedError, match="decide on the registered report"):
        promote(late, expected=1)
    with pytest.raises(GateRefusedError, match="decide on the registered report"):
        promote(risky, expected=1, risk="low")
    with pytest.raises(ApprovalMissingError, match="of high risk, and nobody has approved"):
        promote(risky, expected=1, risk="high")

    assert ledger.state(report.pipeline).generation == 1


def test_files_that_were_changed_since_the_registration_are_not_promoted(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    tmp_path: Path,
) -> None:
    record = submit(report)
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    client.log_model_artifact(report.challenger.model.model_id, str(tmp_path / "MLmodel"))

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        promote(record, expected=0)

    assert ledger.state(report.pipeline).generation == 0


def test_a_record_that_was_changed_in_the_ledger_is_not_promoted(
    ledger: Ledger,
    ledger_url: str,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
) -> None:
    record = submit(report)
    with sqlite3.connect(ledger_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE ledger_versions SET uri = 'models:/m-planted'")
    database.close()

    with pytest.raises(UntrustedModelError, match="does not fit its signature"):
        promote(record, expected=0)

    assert ledger.state(report.pipeline).generation == 0


def test_a_version_that_the_ledger_does_not_know_is_refused_before_its_files_are_fetched(
    client: MlflowClient,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = submit(report).model_copy(update={"version": 2})
    mlflow_versions.create_version(client, report.pipeline, stored=report.challenger.model, tags={})
    fetched: list[VersionRecord] = []
    monkeypatch.setattr(promotion, "check_version", lambda record, **_: fetched.append(record))

    with pytest.raises(DeclarationError, match="no version 2 in the ledger; versions it has: 1"):
        promote(unknown, expected=0)

    assert fetched == []


def test_a_version_deleted_from_mlflow_is_not_promoted(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
) -> None:
    record = submit(report)
    client.delete_model_version(report.pipeline, "1")

    with pytest.raises(RegistryMismatchError, match="no version 1"):
        promote(record, expected=0)

    assert ledger.state(report.pipeline).generation == 0


def test_a_promotion_is_adopted_though_its_version_is_gone_from_mlflow_by_now(
    client: MlflowClient, report: EvaluationReport, submit: Submit, promote: Callable[..., Transition]
) -> None:
    first = submit(report)
    first_try = promote(first, expected=0)
    promote(submit(against(report, 1), key="run-2/register"), expected=1)
    client.delete_model_version(report.pipeline, "1")

    assert promote(first, expected=0) == first_try
    assert aliases(client, report.pipeline) == {"champion": "2"}


def test_who_promotes_a_retired_version_is_told_who_retired_it(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
) -> None:
    first, model = submit(report), report.pipeline
    submit(report, key="run-2/register")
    cause = {"actor": "grace", "reason": "superseded", "operation_key": f"{model}/retire"}
    ledger.retire(model, version=1, archive="", archive_digest="", **cause)
    client.delete_model_version(model, "1")

    with pytest.raises(GateRefusedError, match="'grace' retired it"):
        promote(first, expected=0)


def test_a_promotion_stands_when_the_server_goes_away_and_its_mirror_is_completed_later(
    client: MlflowClient,
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    roll_back: Callable[..., Transition],
    mlflow_server: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = report.pipeline
    promote(submit(report), expected=0)
    second = submit(against(report, 1), key="run-2/register")
    ledger_promote = Ledger.promote

    def promote_and_lose_the_server(self: Ledger, *args: Any, **kwargs: Any) -> Transition:
        transition = ledger_promote(self, *args, **kwargs)
        mlflow_server.stop()
        return transition

    try:
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "promote", promote_and_lose_the_server)
            with pytest.raises(RegistryUnavailableError):
                promote(second, expected=1)
        assert ledger.state(model).champion == second
        # Production can be mended without MLflow.
        assert roll_back(model).generation == 3
    finally:
        mlflow_server.start()
    assert aliases(client, model) == {"champion": "1", "challenger": "2"}

    assert promote(second, expected=1).generation == 2
    assert roll_back(model).generation == 3

    assert aliases(client, model) == {"champion": "1"}
    assert [transition.version for transition in ledger.history(model)] == [1, 2, 1]


def test_two_people_who_leave_the_same_version_roll_back_once(
    ledger: Ledger,
    mlflow_server: MlflowServer,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
) -> None:
    model = report.pipeline
    for generation in range(3):
        promote(
            submit(against(report, generation), key=f"run-{generation}/register"),
            expected=generation,
            key=f"promote-{generation}",
        )

    def leave(version: int, *, key: str) -> Transition:
        return promotion.roll_back(
            model,
            operation_key=key,
            actor="ada",
            reason="complaints",
            leaving=version,
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )

    first = leave(3, key="one")
    with pytest.raises(RollbackRefusedError, match=r"cannot leave version 3 .* version 2 is in production"):
        leave(3, key="two")
    assert leave(3, key="one") == first
    assert ledger.state(model).generation == 4
