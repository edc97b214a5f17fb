"""Equal fits have equal content digests, whichever run stored them; any other change is another content."""

from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

import toy_models
from mlops_core.errors import UntrustedModelError
from mlops_core.models.content import CONTENT_DIGEST_TAG, content_digest, file_contents
from mlops_core.models.directory import model_digest, write_directory
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import log_model
from mlops_core.tracking import adopt_or_create_run
from mlops_core.training.rows import LabelledRows


@pytest.fixture
def directory(tmp_path: Path, rows: LabelledRows) -> Path:
    return write(tmp_path / "model", rows)


def write(directory: Path, rows: LabelledRows, *, seed: int = 1) -> Path:
    write_directory(
        directory,
        estimator=toy_models.fit_trees(rows.features, rows.target, seed=seed),
        pipeline=toy_models.BINARY,
        features=rows.types,
        input_example=rows.features.head(5),
    )
    return directory


def test_two_fits_of_one_seed_have_one_content_and_two_digests(
    directory: Path, tmp_path: Path, rows: LabelledRows
) -> None:
    other = write(tmp_path / "other", rows)

    assert content_digest(directory) == content_digest(other)
    assert model_digest(directory) != model_digest(other)


def test_another_seed_is_another_content_of_the_estimator_alone(
    directory: Path, tmp_path: Path, rows: LabelledRows
) -> None:
    first, second = file_contents(directory), file_contents(write(tmp_path / "other", rows, seed=2))

    assert [name for name in first if first[name] != second[name]] == ["model.skops"]


@pytest.mark.parametrize("field", ["mlflow_version", "metadata", "flavors", "signature"])
def test_the_description_counts_apart_from_what_its_run_wrote(directory: Path, field: str) -> None:
    before = content_digest(directory)
    description = directory / "MLmodel"
    described = yaml.safe_load(description.read_text())
    described[field] = "other"
    description.write_text(yaml.safe_dump(described))

    assert content_digest(directory) != before


@pytest.mark.parametrize("change", ["added", "renamed"])
def test_files_that_come_or_change_their_names_are_another_content(directory: Path, change: str) -> None:
    before = content_digest(directory)
    if change == "added":
        (directory / "more.txt").write_text("")
    else:
        (directory / "requirements.txt").rename(directory / "requirements.old")

    assert content_digest(directory) != before


@pytest.mark.parametrize("content", [None, "- a list", "{", "flavors: .nan"])
def test_a_directory_that_describes_no_model_has_no_content(directory: Path, content: str | None) -> None:
    (directory / "MLmodel").unlink()
    if content is not None:
        (directory / "MLmodel").write_text(content)

    with pytest.raises(UntrustedModelError, match=r"no stored model|describes no model"):
        content_digest(directory)


def test_the_tag_says_it_without_a_download(
    client: MlflowClient, record: ModelRecord, estimator: object, rows: LabelledRows
) -> None:
    other_run = adopt_or_create_run(
        client, experiment="models", operation_key="the same again", run_name="toy", tags={}
    )
    again = log_model(
        client,
        run_id=other_run,
        estimator=estimator,
        pipeline=toy_models.BINARY,
        input_example=rows.features.head(5),
    )

    tags = [client.get_logged_model(model.model_id).tags[CONTENT_DIGEST_TAG] for model in (record, again)]
    assert tags[0] == tags[1]
    assert record.digest != again.digest
