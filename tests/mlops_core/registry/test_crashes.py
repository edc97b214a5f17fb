"""SIGKILL between any two effects, then the task's retry: one version, and ledger and aliases agree."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import promotion
from mlops_core.registry.aliases import wanted
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.register import SIGNATURE_TAG
from registry_examples import passed_report, stored_model
from servers import MlflowServer

pytestmark = pytest.mark.integration

Run = Callable[..., bool]
KILLED = -9


@pytest.fixture(scope="module")
def crashing() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crashing.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def run(crashing: subprocess.Popen[str], ledger_url: str, mlflow_server: MlflowServer) -> Run:
    def run_and_kill(crash_after: int, **command: Any) -> bool:
        """Return whether the child was killed; False if it had come to its end before that effect."""
        line = {
            "ledger_url": ledger_url,
            "tracking_uri": mlflow_server.uri,
            "crash_after": crash_after,
            "lost_reply": False,
            **command,
        }
        assert crashing.stdin is not None
        assert crashing.stdout is not None
        crashing.stdin.write(json.dumps(line) + "\n")
        crashing.stdin.flush()
        code = int(crashing.stdout.readline())
        assert code in {0, KILLED}
        return code == KILLED

    return run_and_kill


def assert_agreement(model: str, *, ledger: Ledger, client: MlflowClient) -> None:
    found = client.search_model_versions(f"name = '{model}'")
    assert sorted(int(version.version) for version in found) == [
        record.version for record in ledger.versions(model)
    ]
    for record in ledger.versions(model):
        assert record.signature is not None
        tags = client.get_model_version(model, str(record.version)).tags
        assert tags[SIGNATURE_TAG] == record.signature.model_dump_json()
    aliases = client.get_registered_model(model).aliases
    aim = wanted(ledger.state(model)).model_dump(exclude_none=True)
    assert aliases == {alias: str(version) for alias, version in aim.items()}
    assert ledger.is_mirrored(model)


def reports(client: MlflowClient, model: str) -> Iterator[tuple[int, EvaluationReport]]:
    """Yield the effect to crash after, and a report on a model that was never registered."""
    stored = stored_model(client)
    for crash_after in range(1, 20):
        yield crash_after, passed_report(stored, pipeline=f"{model}_{crash_after}")


@pytest.mark.parametrize(("lost_reply", "effects"), [(False, 6), (True, 8)])
def test_a_registration_that_is_killed_anywhere_is_completed_by_its_retry(
    run: Run,
    client: MlflowClient,
    ledger: Ledger,
    model: str,
    submit: Callable[..., VersionRecord],
    *,
    lost_reply: bool,
    effects: int,
) -> None:
    crashes = 0
    for crash_after, report in reports(client, model):
        command = {"do": "register", "report": report.model_dump(mode="json"), "lost_reply": lost_reply}
        killed = run(crash_after, operation_key=f"{report.pipeline}/run-1/register", **command)
        record = submit(report)

        assert record.version == 1
        assert ledger.state(report.pipeline).challenger == record
        assert_agreement(report.pipeline, ledger=ledger, client=client)
        if not killed:
            break
        crashes += 1

    assert crashes == effects


def judged_again(report: EvaluationReport) -> EvaluationReport:
    """Return the report as if it were judged once the first version is in production."""
    return report.model_copy(update={"generation": 1})


def promoted_and_challenged(
    report: EvaluationReport,
    *,
    ledger: Ledger,
    uri: str,
    submit: Callable[..., VersionRecord],
) -> VersionRecord:
    first = submit(report)
    promotion.promote(
        first,
        report=report,
        operation_key=f"{report.pipeline}/run-1/promote",
        actor="ada",
        reason="",
        ledger=ledger,
        tracking_uri=uri,
    )
    return submit(judged_again(report), key="run-2/register")


def test_a_promotion_that_is_killed_anywhere_is_completed_by_its_retry(
    run: Run,
    client: MlflowClient,
    ledger: Ledger,
    model: str,
    submit: Callable[..., VersionRecord],
    mlflow_server: MlflowServer,
) -> None:
    crashes = 0
    for crash_after, report in reports(client, model):
        record = promoted_and_challenged(report, ledger=ledger, uri=mlflow_server.uri, submit=submit)
        key = f"{report.pipeline}/run-2/promote"
        killed = run(
            crash_after,
            do="promote",
            record=record.model_dump(mode="json"),
            report=judged_again(report).model_dump(mode="json"),
            operation_key=key,
        )
        transition = promotion.promote(
            record,
            report=judged_again(report),
            operation_key=key,
            actor="retry",
            reason="",
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )

        # The killed child's transition is the one that counts.
        assert (transition.generation, transition.version, transition.actor) == (2, 2, "child")
        assert ledger.state(report.pipeline).champion == record
        assert_agreement(report.pipeline, ledger=ledger, client=client)
        if not killed:
            break
        crashes += 1

    assert crashes == 4


def test_a_roll_back_that_is_killed_anywhere_is_completed_by_its_retry(
    run: Run,
    client: MlflowClient,
    ledger: Ledger,
    model: str,
    submit: Callable[..., VersionRecord],
    mlflow_server: MlflowServer,
) -> None:
    crashes = 0
    for crash_after, report in reports(client, model):
        record = promoted_and_challenged(report, ledger=ledger, uri=mlflow_server.uri, submit=submit)
        promotion.promote(
            record,
            report=judged_again(report),
            operation_key=f"{report.pipeline}/run-2/promote",
            actor="ada",
            reason="",
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )
        key = f"{report.pipeline}/run-3/roll_back"
        killed = run(crash_after, do="roll_back", model=report.pipeline, operation_key=key)
        transition = promotion.roll_back(
            report.pipeline,
            operation_key=key,
            actor="retry",
            reason="",
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
        )

        assert (transition.generation, transition.version, transition.actor) == (3, 1, "child")
        assert_agreement(report.pipeline, ledger=ledger, client=client)
        if not killed:
            break
        crashes += 1

    assert crashes == 3
