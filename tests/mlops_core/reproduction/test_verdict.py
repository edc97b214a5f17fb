"""The verdict follows from files and scores; the words name what differs first, and then what may be why."""

from pathlib import Path
from typing import Any

import pytest

import toy_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.models.directory import model_digest, read_directory, write_directory
from mlops_core.models.record import ModelRecord
from mlops_core.models.trust import TrustedCode
from mlops_core.pipeline import HoldoutSplit
from mlops_core.registry.records import VersionRecord
from mlops_core.reproduction.comparison import StoredModel
from mlops_core.reproduction.recorded import FitRecord
from mlops_core.reproduction.verdict import Fitted, judge
from mlops_core.training.environment import CodeVersion, Environment
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.rows import labelled_rows
from mlops_core.training.split import holdout_split

pytestmark = pytest.mark.slow

VERSION = VersionRecord(model="toy_binary", version=1, digest="d", uri="models:/m-1", run_id="first")
ENVIRONMENT = Environment(
    python="3.11.7",
    platform="Linux",
    cpus=2,
    packages={"numpy": "2.4.6"},
    code=CodeVersion(commit="abc", modified=False),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SnapshotStore:
    opened = SnapshotStore(str(tmp_path_factory.mktemp("data")))
    for partition in toy_models.PARTITIONS:
        opened.write_partition("toy_binary", partition, toy_models.load(partition))
    return opened


@pytest.fixture
def fitted(store: SnapshotStore, tmp_path: Path) -> Any:
    """Return one side: a model of a seed, and the record of its fit."""

    def make(name: str, *, seed: int = 1, code: str = "same", **environment: Any) -> Fitted:
        rows = labelled_rows(toy_models.load("2013-01"), pipeline=toy_models.BINARY)
        folder = tmp_path / name
        write_directory(
            folder,
            estimator=toy_models.fit_trees(rows.features, rows.target, seed=seed),
            pipeline=toy_models.BINARY,
            features=rows.types,
            input_example=rows.features.head(5),
        )
        snapshot = store.current("toy_binary")
        job = TrainJob(
            pipeline="toy_binary",
            reference="toy_models:BINARY",
            candidate="trees",
            snapshot=snapshot,
            split=holdout_split(store.partitions(snapshot), HoldoutSplit()),
            operation_key=name,
            tracking_uri="",
            data_uri=store.data_uri,
        )
        record = ModelRecord(run_id=name, model_id=f"m-{name}", uri=f"models:/m-{name}", digest="d")
        result = TrainResult(
            candidate="trees", run_id=name, model=record, parameters={}, rows=190, fit_seconds=1.0
        )
        trusted = TrustedCode.declared_by(toy_models.BINARY)
        loaded = read_directory(folder, digest=model_digest(folder), trusted=trusted)
        return Fitted(
            fit=FitRecord(job=job, environment=ENVIRONMENT.model_copy(update=environment), result=result),
            stored=StoredModel(
                model=loaded, files={"MLmodel": "1", "model.skops": f"{code} {seed}"}, named=trusted
            ),
            parameters={"estimator.seed": str(seed)},
        )

    return make


def test_the_same_content_is_identical_and_nothing_is_said(fitted: Any, store: SnapshotStore) -> None:
    report = judge(
        VERSION, fitted("first"), fitted("second"), environment="recorded", data_uri=store.data_uri
    )

    assert (report.verdict, report.differences, report.predictions) == ("identical", (), ())


def test_other_files_that_predict_the_same_are_equal_and_the_package_is_named(
    fitted: Any, store: SnapshotStore
) -> None:
    second = fitted("second", code="other", packages={"numpy": "2.4.7"})

    report = judge(VERSION, fitted("first"), second, environment="current", data_uri=store.data_uri)

    assert report.verdict == "equal"
    assert report.differences == (
        "model.skops differs",
        "on the 5 rows of the example the scores differ by up to 0, 0 on average",
        "on 190 held-out rows the scores differ by up to 0, 0 on average",
        "package numpy was 2.4.6 and is 2.4.7",
    )


def test_another_model_without_a_recorded_cause_is_laid_to_the_fit(fitted: Any, store: SnapshotStore) -> None:
    second = fitted("second", seed=2)

    report = judge(VERSION, fitted("first"), second, environment="recorded", data_uri=store.data_uri)

    assert report.verdict == "different"
    assert "the estimator's estimator.seed was 1 and is 2" in report.differences
    assert report.differences[-1] == (
        "nothing that was recorded explains it: the fit does not follow from its job alone"
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "the version of the code was not recorded"),
        (
            CodeVersion(commit="abc", modified=True),
            "the recorded code had changes beyond commit abc that were not committed",
        ),
    ],
)
def test_code_that_is_not_known_is_said_whatever_the_verdict(
    fitted: Any, store: SnapshotStore, code: CodeVersion | None, words: str
) -> None:
    first = fitted("first")
    first = Fitted(
        fit=first.fit.model_copy(update={"environment": ENVIRONMENT.model_copy(update={"code": code})}),
        stored=first.stored,
        parameters=first.parameters,
    )

    report = judge(VERSION, first, fitted("second"), environment="recorded", data_uri=store.data_uri)

    assert report.verdict == "identical"
    assert words in report.differences
