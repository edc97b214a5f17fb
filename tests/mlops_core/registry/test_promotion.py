"""The ledger moves first and decides; MLflow follows, at the latest when the task is tried again."""

from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from mlops_core.errors import (
    GateRefusedError,
    PromotionConflictError,
    RegistryMismatchError,
    RegistryUnavailableError,
    RollbackRefusedError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import promotion
from mlops_core.registry.ledger import Ledger, Transition, VersionRecord
from servers import MlflowServer

pytestmark = pytest.mark.integration

Submit = Callable[..., VersionRecord]


@pytest.fixture
def promote(ledger: Ledger, mlflow_server: MlflowServer) -> Callable[..., Transition]:
    def call(record: VersionRecord, *, expected: int, key: str = "") -> Transition:
        return promotion.promote(
            record,
            expected_generation=expected,
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
    second = submit(report, key="run-2/register")
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
    second = submit(report, key="run-2/register")
    first_try = promote(second, expected=1)
    roll_back(report.pipeline)

    assert promote(second, expected=1) == first_try
    assert aliases(client, report.pipeline) == {"champion": "1"}


@pytest.mark.parametrize("evidence", [None, "forged"])
def test_a_version_without_its_evidence_is_not_promoted(
    ledger: Ledger,
    report: EvaluationReport,
    submit: Submit,
    promote: Callable[..., Transition],
    evidence: str | None,
) -> None:
    record = submit(report).model_copy(update={"evidence_digest": evidence})

    with pytest.raises(GateRefusedError):
        promote(record, expected=0)

    assert ledger.state(report.pipeline).generation == 0


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
    second = submit(report, key="run-2/register")
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
            submit(report, key=f"run-{generation}/register"), expected=generation, key=f"promote-{generation}"
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
