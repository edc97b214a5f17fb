"""A version is fitted again in a clean process, and the report says whether it is the same."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import toy_models
from flight_delay.data import load_flights
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import (
    CorruptedDataError,
    NotReproducibleError,
    RegistryMismatchError,
    UntrustedModelError,
)
from mlops_core.models.content import CONTENT_DIGEST_TAG
from mlops_core.models.stored import ModelReference
from mlops_core.models.trust import AS_THE_FILES_SAY, Trust, TrustedCode
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import PipelineRecord, VersionRecord
from mlops_core.reports import ReportStore
from mlops_core.reproduction import reproduce as reproduction
from mlops_core.reproduction.comparison import StoredModel, fetch
from mlops_core.reproduction.reproduce import REPRODUCES_TAG, reproduce_and_report
from mlops_core.training.job import TrainJob
from mlops_core.training.run import ENVIRONMENT_FILE, JOB_DIGEST_TAG, JOB_FILE
from signing_keys import signed

pytestmark = pytest.mark.integration


@pytest.fixture
def toy_months(store: SnapshotStore) -> None:
    for pipeline in ("toy_binary", "restless"):
        for partition in toy_models.PARTITIONS:
            store.write_partition(pipeline, partition, toy_models.load(partition))


@pytest.fixture
def toy(fit_version: Any, toy_months: None) -> VersionRecord:  # noqa: ARG001  it is fitted on them
    return fit_version("toy_binary", reference="toy_models:BINARY", candidate="trees")


def rewrite(client: MlflowClient, version: VersionRecord, name: str, **changes: object) -> dict[str, Any]:
    """Change fields of what the version's run has recorded."""
    document = json.loads(Path(client.download_artifacts(version.run_id, name)).read_text())
    document.update(changes)
    client.log_text(version.run_id, json.dumps(document), name)
    return document


@pytest.mark.parametrize(
    ("candidate", "parameters"),
    [
        ("gradient_boosting", {"iterations": 30}),
        ("logistic_regression", {}),
        ("entity_embeddings", {"epochs": 1}),
    ],
)
def test_every_candidate_of_flights_is_identical_when_it_is_fitted_again(
    store: SnapshotStore,
    client: MlflowClient,
    fit_version: Any,
    again: Any,
    candidate: str,
    parameters: dict[str, object],
) -> None:
    for month in ("2013-01", "2013-02"):
        store.write_partition("flight_delay", month, load_flights(month))
    version = fit_version(
        "flight_delay", reference="flight_delay.pipeline:PIPELINE", candidate=candidate, parameters=parameters
    )

    report = again(version)

    assert (report.verdict, report.files, report.predictions) == ("identical", (), ())
    assert report.recorded_content == report.rebuilt_content
    assert report.rebuilt.digest != version.digest
    assert not report.metrics
    assert not report.packages
    tags = client.get_logged_model(report.rebuilt.model_id).tags
    assert tags[CONTENT_DIGEST_TAG] == report.recorded_content


def test_the_second_fit_is_a_run_of_its_own_away_from_the_candidates(
    client: MlflowClient, toy: VersionRecord, again: Any
) -> None:
    report = again(toy)

    assert report.verdict == "identical"
    run = client.get_run(report.run_id)
    assert run.data.tags[REPRODUCES_TAG] == "toy_binary 1"
    assert client.get_experiment(run.info.experiment_id).name == "toy_binary/reproduction"
    candidates = client.get_experiment(client.get_run(toy.run_id).info.experiment_id)
    assert candidates.name == "toy_binary"


def test_the_second_model_may_need_what_the_first_or_the_declaration_names_and_no_more(
    toy: VersionRecord, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Trust] = []

    def noted(reference: ModelReference, *, tracking_uri: str, trusted: Trust) -> StoredModel:
        asked.append(trusted)
        return fetch(reference, tracking_uri=tracking_uri, trusted=trusted)

    by_now = toy_models.BINARY.model_copy(update={"trusted_types": frozenset({"here.Type"})})
    by_now = by_now.model_copy(update={"loader": "here:load", "labels": None, "expectations": None})
    monkeypatch.setattr(reproduction, "load_pipeline", lambda _: by_now.model_copy(update={"candidates": ()}))
    monkeypatch.setattr(reproduction, "fetch", noted)

    again(toy)

    packages = frozenset({"here", "toy_models"})
    either = TrustedCode(trusted_types=frozenset({"here.Type"}), packages=packages)
    assert asked == [AS_THE_FILES_SAY, either]


def test_asked_again_under_the_same_key_it_answers_with_the_same_run(toy: VersionRecord, again: Any) -> None:
    assert again(toy) == again(toy)


def test_another_recorded_seed_makes_another_model(
    client: MlflowClient, toy: VersionRecord, again: Any
) -> None:
    job = TrainJob.model_validate(rewrite(client, toy, JOB_FILE, seed=4))
    client.set_tag(toy.run_id, JOB_DIGEST_TAG, job.digest())

    report = again(toy)

    assert report.verdict == "different"
    assert not report.succeeded
    assert "model.skops" in report.files
    held_out = report.predictions[1]
    assert held_out.rows_of == "held-out rows"
    assert held_out.largest is not None
    assert held_out.largest > report.tolerance
    words = "\n".join(report.differences)
    assert "model.skops differs" in words
    assert "held-out rows the scores differ by up to 0." in words
    assert "the estimator's estimator.trees__random_state was 3 and is 4" in words


def test_a_job_that_was_changed_after_the_fit_is_not_believed(
    client: MlflowClient, toy: VersionRecord, again: Any
) -> None:
    rewrite(client, toy, JOB_FILE, seed=4)

    with pytest.raises(RegistryMismatchError, match="it was changed after the fit"):
        again(toy)


def test_the_run_of_another_model_is_not_believed(toy: VersionRecord, again: Any) -> None:
    with pytest.raises(RegistryMismatchError, match="version 1 of 'toy_binary' has 0000"):
        again(signed(toy.model_copy(update={"digest": "0" * 64})))


@pytest.mark.parametrize("change", [{"signature": None}, {"run_id": "another"}])
def test_what_nobody_has_signed_is_not_even_read(
    toy: VersionRecord, again: Any, change: dict[str, object]
) -> None:
    with pytest.raises(UntrustedModelError):
        again(toy.model_copy(update=change))


def test_data_that_were_changed_are_refused(store: SnapshotStore, toy: VersionRecord, again: Any) -> None:
    for file in Path(store.data_uri).rglob("*.parquet"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    with pytest.raises(CorruptedDataError):
        again(toy)


def test_what_is_here_may_be_another_environment_and_the_report_says_so(
    client: MlflowClient, toy: VersionRecord, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The number of threads of the first fit is part of what its trees remember.
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    recorded = json.loads(Path(client.download_artifacts(toy.run_id, ENVIRONMENT_FILE)).read_text())
    recorded["packages"]["rich"] = "13.0.0"
    rewrite(client, toy, ENVIRONMENT_FILE, packages=recorded["packages"], python="3.11.0")

    report = again(toy, environment="current")

    assert (report.verdict, report.files) == ("equal", ("model.skops",))
    assert [found.largest for found in report.predictions] == [0, 0]
    assert [(found.name, found.recorded) for found in report.packages] == [("rich", "13.0.0")]
    assert "OMP_NUM_THREADS was 1 and is 2" in report.differences
    assert any(said.startswith("package rich was 13.0.0 and is ") for said in report.differences)
    assert any(said.startswith("python was 3.11.0 and is ") for said in report.differences)


def test_packages_that_no_index_has_make_it_impossible(
    client: MlflowClient, toy: VersionRecord, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = json.loads(Path(client.download_artifacts(toy.run_id, ENVIRONMENT_FILE)).read_text())
    rewrite(client, toy, ENVIRONMENT_FILE, packages={**recorded["packages"], "rich": "0.0.1.dev99"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")

    with pytest.raises(NotReproducibleError, match="the recorded environment cannot be built"):
        again(toy)


def test_another_declaration_than_the_ledgers_is_not_imported(
    client: MlflowClient, store: SnapshotStore, toy: VersionRecord, tmp_path: Path
) -> None:
    at = datetime(2013, 7, 1, tzinfo=UTC)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.record_version(toy, operation_key="register", actor="train")
        ledger.record_pipeline(
            PipelineRecord(name="toy_binary", owner="ml", risk="low", reference="toy_models:OTHER", at=at)
        )

        with pytest.raises(RegistryMismatchError, match="'toy_models:BINARY', the ledger 'toy_models:OTHER'"):
            reproduce_and_report(
                "toy_binary",
                1,
                ledger=ledger,
                tracking_uri=client.tracking_uri,
                data_uri=store.data_uri,
                reports=ReportStore(tmp_path / "reports"),
                operation_key="reproduce",
            )


def test_a_version_whose_evidence_is_gone_is_not_fitted_again(toy: VersionRecord, again: Any) -> None:
    with pytest.raises(NotReproducibleError, match="nothing says on which data version 1"):
        again(signed(toy.model_copy(update={"evidence_digest": "0" * 64})))


@pytest.mark.parametrize(("candidate", "verdict"), [("by_chance", "different"), ("nearly", "equal")])
def test_a_fit_that_draws_behind_its_seed_is_found_out(
    fit_version: Any,
    toy_months: None,  # noqa: ARG001  it is fitted on them
    again: Any,
    candidate: str,
    verdict: str,
) -> None:
    version = fit_version("restless", reference="restless_models:RESTLESS", candidate=candidate)

    report = again(version)

    assert report.verdict == verdict
    assert report.predictions[1].largest


def test_a_second_fit_that_ends_without_a_reason_shows_its_last_words(
    fit_version: Any,
    toy_months: None,  # noqa: ARG001  it is fitted on them
    again: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = fit_version("restless", reference="restless_models:RESTLESS", candidate="ending")
    monkeypatch.setenv("MLOPS_TEST_END", "1")

    with pytest.raises(NotReproducibleError, match="ended with exit code 9"):
        again(version)


def test_a_run_without_a_record_cannot_be_reproduced(
    client: MlflowClient, toy: VersionRecord, again: Any
) -> None:
    run = client.create_run(client.get_run(toy.run_id).info.experiment_id)

    with pytest.raises(NotReproducibleError, match=r"has no readable train_job\.json"):
        again(signed(toy.model_copy(update={"run_id": run.info.run_id})))
