from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import ProfileMissingError, UntrustedModelError
from mlops_core.evaluation.evidence import log_evidence
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.trust import TrustedCode
from mlops_core.monitoring import capture
from mlops_core.monitoring.capture import capture_profile, profile_of
from mlops_core.monitoring.profile import ReferenceProfile, read_profile
from mlops_core.registry.records import VersionRecord


class Evaluated(NamedTuple):
    """A version whose evaluation report names a snapshot of the store."""

    report: EvaluationReport
    version: VersionRecord
    loaded: list[str]
    capture: Callable[[], ReferenceProfile]
    find: Callable[[], ReferenceProfile]


@pytest.fixture
def evaluated(
    store: SnapshotStore,
    tracking: MlflowClient,
    new_run: Callable[[], str],
    examples: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Evaluated:
    store.write_partition("toy", "2013-05", examples.rows(300, seed=5))
    held_out = store.write_partition("toy", "2013-06", examples.rows(300, seed=6))
    run_id = new_run()
    example = examples.evaluation()
    experiment_id = tracking.get_run(run_id).info.experiment_id
    logged = tracking.create_logged_model(experiment_id, name="toy", source_run_id=run_id)
    stored = example.challenger.model.model_copy(update={"run_id": run_id, "model_id": logged.model_id})
    report = example.model_copy(
        update={
            "snapshot": held_out.snapshot,
            "split": example.split.model_copy(update={"holdout_partitions": ("2013-06",)}),
            "challenger": example.challenger.model_copy(update={"run_id": run_id, "model": stored}),
        }
    )
    loaded: list[str] = []

    def load_signed(reference: Any, *, tracking_uri: str) -> LoadedModel:
        assert tracking_uri == tracking.tracking_uri
        loaded.append(reference.digest)
        return examples.model()

    def load_unsigned(reference: Any, *, tracking_uri: str, trusted: TrustedCode) -> LoadedModel:
        assert trusted == TrustedCode.declared_by(examples.pipeline())
        return load_signed(reference, tracking_uri=tracking_uri)

    monkeypatch.setattr(capture, "load_model", load_unsigned)
    monkeypatch.setattr(capture, "load_version", load_signed)
    monkeypatch.setattr(LoadedModel, "predict", lambda model, frame: model.estimator.predict(frame))
    version = examples.version.model_copy(
        update={"run_id": run_id, "evidence_digest": report.digest(), "digest": stored.digest}
    )
    shared: dict[str, Any] = {"store": store, "tracking_uri": tracking.tracking_uri}
    return Evaluated(
        report,
        version,
        loaded,
        lambda: capture_profile(examples.pipeline(), report=report, **shared),
        lambda: profile_of(examples.pipeline(), version=version, **shared),
    )


def test_a_profile_is_of_the_held_out_rows_of_the_report(
    evaluated: Evaluated, tracking: MlflowClient
) -> None:
    profile = evaluated.capture()
    assert profile.partitions == ("2013-06",)
    assert profile.rows == 300
    assert profile.snapshot == evaluated.report.snapshot
    assert profile.metrics == evaluated.report.challenger.scores
    assert read_profile(tracking, evaluated.version.run_id) == profile


def test_a_captured_profile_is_adopted(evaluated: Evaluated) -> None:
    first = evaluated.capture()
    assert evaluated.capture() == first
    assert len(evaluated.loaded) == 1


def test_a_damaged_profile_is_captured_again(evaluated: Evaluated, tracking: MlflowClient) -> None:
    first = evaluated.capture()
    tracking.log_text(evaluated.version.run_id, "half a fi", "reference_profile/sample.parquet")
    assert evaluated.capture() == first
    assert len(evaluated.loaded) == 2
    assert evaluated.capture() == first
    assert len(evaluated.loaded) == 2


def test_a_version_without_a_profile_gets_it_from_its_evidence(
    evaluated: Evaluated, tracking: MlflowClient
) -> None:
    log_evidence(tracking, evaluated.report, page="<p>page</p>")
    profile = evaluated.find()
    assert profile.rows == 300
    assert evaluated.find() == profile
    assert len(evaluated.loaded) == 1


def test_a_version_with_neither_profile_nor_evidence_is_refused(evaluated: Evaluated) -> None:
    with pytest.raises(ProfileMissingError):
        evaluated.find()


def test_a_profile_is_not_captured_for_a_version_of_other_files(
    evaluated: Evaluated, store: SnapshotStore, tracking: MlflowClient, examples: Any
) -> None:
    other = evaluated.version.model_copy(update={"digest": "f" * 64})

    with pytest.raises(UntrustedModelError, match="and its report is of"):
        capture_profile(
            examples.pipeline(),
            report=evaluated.report,
            store=store,
            tracking_uri=tracking.tracking_uri,
            version=other,
        )
    assert evaluated.loaded == []
