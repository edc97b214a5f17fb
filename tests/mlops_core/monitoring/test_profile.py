import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from mlops_core.errors import CorruptedDataError, EmptySampleError, ProfileMissingError
from mlops_core.models.loaded import Predictions
from mlops_core.monitoring.profile import (
    PROFILE_TAG,
    ReferenceProfile,
    build_profile,
    log_profile,
    read_profile,
    read_sample,
    score_columns,
)
from mlops_core.pipeline import MonitorPolicy


def built(
    examples: Any, *, rows: int = 400, kept: int = 100, seed: int = 0
) -> tuple[ReferenceProfile, bytes]:
    held_out = examples.rows(rows)
    return build_profile(
        examples.pipeline(seed=seed, monitor=MonitorPolicy(reference_rows=kept)),
        rows=held_out,
        predictions=examples.sigmoid().predict(held_out.to_pandas()),
        model=examples.model(),
        report=examples.evaluation(),
    )


def test_a_profile_counts_every_held_out_row_and_keeps_a_bounded_sample(examples: Any) -> None:
    profile, sample = built(examples)
    assert profile.rows == 400
    assert {column.rows for column in (*profile.features, *profile.scores)} == {400}
    kept = pq.read_table(io.BytesIO(sample))
    assert kept.num_rows == profile.sample_rows == 100
    assert kept.column_names == ["amount", "colour", "score"]


def test_a_profile_knows_the_models_features_and_neither_key_nor_target(examples: Any) -> None:
    profile, _ = built(examples)
    assert [column.name for column in profile.features] == ["amount", "colour"]
    assert [column.name for column in profile.scores] == ["score"]
    assert profile.classes == (False, True)


def test_the_same_rows_give_the_same_profile_and_the_same_sample(examples: Any) -> None:
    assert built(examples) == built(examples)
    assert built(examples)[0].digest() != built(examples, seed=1)[0].digest()


def test_a_profile_survives_json_and_holds_only_finite_numbers(examples: Any) -> None:
    profile, _ = built(examples)
    assert ReferenceProfile.model_validate_json(profile.canonical_json()) == profile
    json.loads(profile.canonical_json(), parse_constant=pytest.fail)


def test_no_held_out_rows_give_no_profile(examples: Any) -> None:
    with pytest.raises(EmptySampleError, match="needs rows"):
        built(examples, rows=0)


def test_a_profile_remembers_the_scores_of_its_evaluation(examples: Any) -> None:
    profile, _ = built(examples)
    reference = profile.metric("roc_auc")
    assert reference is not None
    assert reference.value == 0.8
    assert profile.metric("log_loss") is None


def test_scores_have_a_column_a_class() -> None:
    predictions = Predictions(scores=np.array([[0.2, 0.8]]), labels=np.array(["b"]))
    assert list(score_columns(predictions, classes=("a", "b"))) == ["score_a", "score_b"]


class Stored(NamedTuple):
    client: MlflowClient
    run_id: str
    profile: ReferenceProfile
    sample: bytes

    def file(self, name: str) -> Path:
        artifacts = self.client.get_run(self.run_id).info.artifact_uri
        return Path(str(artifacts).removeprefix("file://")) / "reference_profile" / name


@pytest.fixture
def stored(tracking: MlflowClient, new_run: Callable[[], str], examples: Any) -> Stored:
    """A profile whose artifacts are files that a test may damage."""
    profile, sample = built(examples)
    run_id = new_run()
    log_profile(tracking, run_id, profile=profile, sample=sample)
    return Stored(tracking, run_id, profile, sample)


def test_a_logged_profile_is_read_back_with_its_sample(stored: Stored) -> None:
    profile = read_profile(stored.client, stored.run_id)
    assert profile == stored.profile
    sample = read_sample(stored.client, stored.run_id, profile=profile)
    assert sample.equals(pq.read_table(io.BytesIO(stored.sample)))


def test_logging_the_same_profile_again_changes_nothing(stored: Stored) -> None:
    before = {name: stored.file(name).read_bytes() for name in ("profile.json", "sample.parquet")}
    log_profile(stored.client, stored.run_id, profile=stored.profile, sample=stored.sample)
    assert {name: stored.file(name).read_bytes() for name in before} == before


def test_a_run_without_a_profile_says_what_to_do(tracking: MlflowClient, new_run: Callable[[], str]) -> None:
    with pytest.raises(ProfileMissingError, match="capture it from its evaluation"):
        read_profile(tracking, new_run())


def test_a_profile_that_was_changed_is_refused(stored: Stored) -> None:
    content = stored.file("profile.json").read_text()
    stored.file("profile.json").write_text(content.replace('"rows":400', '"rows":401'))
    with pytest.raises(CorruptedDataError, match="was changed after it was written"):
        read_profile(stored.client, stored.run_id)


def test_any_flipped_bit_of_the_sample_is_refused(stored: Stored) -> None:
    for position in range(0, len(stored.sample), 97):
        damaged = bytearray(stored.sample)
        damaged[position] ^= 1 << position % 8
        stored.file("sample.parquet").write_bytes(damaged)
        with pytest.raises(CorruptedDataError):
            read_sample(stored.client, stored.run_id, profile=stored.profile)


def test_a_file_that_is_gone_is_named(stored: Stored) -> None:
    stored.file("sample.parquet").unlink()
    with pytest.raises(CorruptedDataError, match=r"lost its reference_profile/sample\.parquet"):
        read_sample(stored.client, stored.run_id, profile=stored.profile)


def test_a_profile_of_another_form_is_refused(stored: Stored) -> None:
    content = b'{"form":"of a later version"}'
    stored.file("profile.json").write_bytes(content)
    stored.client.set_tag(stored.run_id, PROFILE_TAG, hashlib.sha256(content).hexdigest())
    with pytest.raises(CorruptedDataError, match="cannot be read by this version"):
        read_profile(stored.client, stored.run_id)
