"""A model's directory is verified before anything of it is parsed, and never unpickled."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.models import Model
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression, Perceptron
from sklearn.pipeline import make_pipeline

import toy_models
from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.models.directory import model_digest, read_directory, write_directory
from mlops_core.models.trust import AS_THE_FILES_SAY, Trust, TrustedCode
from mlops_core.training.rows import LabelledRows, labelled_rows


class Doubler(TransformerMixin, BaseEstimator):
    """A type of the user's own."""

    def fit(self, _features: pd.DataFrame, _target: object = None) -> "Doubler":
        self.fitted_ = True
        return self

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        return features


TOY = TrustedCode.declared_by(toy_models.BINARY)
DOUBLER = f"{Doubler.__module__}.Doubler"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def directory(tmp_path: Path, estimator: object, rows: LabelledRows) -> Path:
    return write(tmp_path / "model", estimator, rows)


def write(directory: Path, estimator: object, rows: LabelledRows, **changes: Any) -> Path:
    write_directory(
        directory,
        estimator=estimator,
        pipeline=toy_models.BINARY.model_copy(update=changes),
        features=rows.types,
        input_example=rows.features.head(5),
    )
    return directory


def test_what_is_read_predicts_what_was_written(directory: Path, estimator: Any, rows: LabelledRows) -> None:
    model = read_directory(directory, digest=model_digest(directory), trusted=TOY)

    np.testing.assert_array_equal(
        model.predict(rows.features).scores, estimator.predict_proba(rows.features)[:, 1]
    )
    assert model.task is toy_models.BINARY.task
    assert model.features == {"amount": "double", "colour": "string", "count": "double", "member": "boolean"}
    assert model.classes == (False, True)
    assert model.digest == model_digest(directory)
    pd.testing.assert_frame_equal(model.input_example, rows.features.head(5).reset_index(drop=True))


def test_the_signature_is_there_although_integers_and_booleans_have_gaps(directory: Path) -> None:
    inputs = Model.load(str(directory)).signature.inputs

    assert [(column.name, column.type.name) for column in inputs.inputs] == [
        ("amount", "double"),
        ("colour", "string"),
        ("count", "double"),
        ("member", "boolean"),
    ]


def test_mlflow_can_load_it_by_itself(directory: Path, estimator: Any, rows: LabelledRows) -> None:
    full = rows.features.dropna().astype({"member": bool})

    answer = mlflow.pyfunc.load_model(str(directory)).predict(full)

    np.testing.assert_array_equal(answer, estimator.predict(full))


@pytest.mark.slow
def test_loading_needs_no_server_and_no_tracking_address(directory: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from mlops_core.models.directory import model_digest, read_directory\n"
        "from mlops_core.models.trust import AS_THE_FILES_SAY\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "model = read_directory(folder, digest=model_digest(folder), trusted=AS_THE_FILES_SAY)\n"
        "print(len(model.predict(model.input_example).labels))\n"
    )
    environment = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)}

    answer = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == ["5"]


@pytest.mark.parametrize("name", ["MLmodel", "model.skops", "input_example.json", "requirements.txt"])
def test_a_changed_byte_in_any_file_is_refused(directory: Path, name: str) -> None:
    digest = model_digest(directory)
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / name).write_bytes(content)

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        read_directory(directory, digest=digest, trusted=TOY)


@pytest.mark.parametrize("change", ["added", "removed", "renamed"])
def test_files_may_not_come_go_or_swap_names(directory: Path, change: str) -> None:
    digest = model_digest(directory)
    requirements = directory / "requirements.txt"
    if change == "added":
        (directory / "more.txt").write_text("")
    elif change == "removed":
        requirements.unlink()
    else:
        requirements.rename(directory / "requirements.old")

    with pytest.raises(UntrustedModelError):
        read_directory(directory, digest=digest, trusted=TOY)


def test_what_mlflow_adds_on_download_by_name_does_not_change_the_digest(directory: Path) -> None:
    digest = model_digest(directory)
    (directory / "registered_model_meta").write_text("model_name: toy\nmodel_version: 1\n")

    assert model_digest(directory) == digest


@pytest.mark.parametrize(
    "content", [b"model_name: toy\n", b"!!python/object/apply:os.system [id]\n", b"\xff\x00"]
)
def test_what_mlflow_adds_on_download_by_name_is_never_read(
    directory: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = model_digest(directory)
    (directory / "registered_model_meta").write_bytes(content)
    read_bytes, opened = Path.read_bytes, set()

    def noted(path: Path) -> bytes:
        opened.add(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)

    assert read_directory(directory, digest=digest, trusted=TOY).digest == digest
    assert "registered_model_meta" not in opened
    assert "model.skops" in opened


def test_the_name_that_mlflow_adds_hides_no_other_files(directory: Path) -> None:
    digest = model_digest(directory)
    (directory / "registered_model_meta").mkdir()
    (directory / "registered_model_meta" / "evil.py").write_text("")

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        read_directory(directory, digest=digest, trusted=TOY)


def test_what_is_neither_file_nor_folder_is_refused(directory: Path) -> None:
    os.mkfifo(directory / "pipe")

    with pytest.raises(UntrustedModelError, match="holds pipe, which is no file"):
        model_digest(directory)


@pytest.mark.parametrize(
    "content", ["", "[]", "flavors:", "flavors: [sklearn]", "a: [", "flavors: {sklearn: 1}"]
)
def test_a_description_that_describes_nothing_is_refused(directory: Path, content: str) -> None:
    (directory / "MLmodel").write_text(content)

    with pytest.raises(UntrustedModelError, match=r"describes no model|names no flavours"):
        read_directory(directory, digest=model_digest(directory), trusted=TOY)


def test_a_link_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (directory / "inside").symlink_to(tmp_path / "outside")

    with pytest.raises(UntrustedModelError, match="holds the link inside"):
        model_digest(directory)


def test_an_empty_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UntrustedModelError, match="no files"):
        model_digest(tmp_path)


@pytest.mark.parametrize("serialization_format", ["pickle", "cloudpickle"])
@pytest.mark.filterwarnings("ignore:Saving scikit-learn models in the pickle")
def test_a_pickle_is_refused_even_under_its_true_digest(
    tmp_path: Path, estimator: object, serialization_format: str
) -> None:
    folder = tmp_path / "pickled"
    mlflow.sklearn.save_model(
        estimator, str(folder), serialization_format=serialization_format, pip_requirements=[]
    )

    with pytest.raises(UntrustedModelError, match=f"in the format '{serialization_format}'"):
        read_directory(folder, digest=model_digest(folder), trusted=TOY)


def test_a_directory_that_calls_itself_a_pickle_is_refused_whatever_else_it_holds(directory: Path) -> None:
    description = directory / "MLmodel"
    text = description.read_text()
    description.write_text(text.replace("serialization_format: skops", "serialization_format: cloudpickle"))

    with pytest.raises(UntrustedModelError, match="in the format 'cloudpickle'"):
        read_directory(directory, digest=model_digest(directory), trusted=TOY)


def test_a_pickle_in_the_place_of_the_estimator_is_not_run(directory: Path, tmp_path: Path) -> None:
    (directory / "model.skops").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))

    with pytest.raises(UntrustedModelError, match="is no model in the format 'skops'"):
        read_directory(directory, digest=model_digest(directory), trusted=TOY)
    assert not (tmp_path / "exploded").exists()


def test_types_that_are_not_declared_cannot_be_stored(tmp_path: Path, rows: LabelledRows) -> None:
    estimator = make_pipeline(Doubler(), *own_steps(rows)).fit(rows.features, rows.target)

    with pytest.raises(DeclarationError, match=f"holds the types {DOUBLER}; add them to trusted_types"):
        write(tmp_path / "model", estimator, rows)


@pytest.fixture
def doubled(tmp_path: Path, rows: LabelledRows) -> Path:
    """A model of a type that its pipeline declares."""
    estimator = make_pipeline(Doubler(), *own_steps(rows)).fit(rows.features, rows.target)
    return write(tmp_path / "model", estimator, rows, trusted_types=frozenset({DOUBLER}))


@pytest.mark.parametrize(
    "trusted", [TOY.model_copy(update={"trusted_types": frozenset({DOUBLER})}), AS_THE_FILES_SAY]
)
def test_declared_types_are_stored_and_loaded(doubled: Path, rows: LabelledRows, trusted: Trust) -> None:
    model = read_directory(doubled, digest=model_digest(doubled), trusted=trusted)

    assert isinstance(model.estimator[0], Doubler)
    assert len(model.predict(rows.features).labels) == len(rows.features)


def test_a_model_whose_files_name_more_types_than_the_caller_trusts_is_refused(doubled: Path) -> None:
    with pytest.raises(UntrustedModelError, match=f"asks to trust the types {DOUBLER}, which its pipeline"):
        read_directory(doubled, digest=model_digest(doubled), trusted=TOY)


def test_a_model_that_holds_more_types_than_the_caller_trusts_is_refused(doubled: Path) -> None:
    change_details(doubled, trusted_types=[])

    with pytest.raises(UntrustedModelError, match=f"holds the types {DOUBLER}, which are not trusted"):
        read_directory(doubled, digest=model_digest(doubled), trusted=TOY)


@pytest.mark.parametrize("lists", [{"trusted_types": "os.system"}, {"packages": [1]}, {"packages": None}])
@pytest.mark.parametrize("trusted", [TOY, AS_THE_FILES_SAY])
def test_lists_that_are_none_are_refused(directory: Path, lists: dict[str, Any], trusted: Trust) -> None:
    change_details(directory, **lists)

    with pytest.raises(UntrustedModelError, match="trusted_types or packages are no lists of names"):
        read_directory(directory, digest=model_digest(directory), trusted=trusted)


@pytest.mark.parametrize("metadata", ["text", ["mlops"], {"mlops": "text"}, {"mlops": ["task"]}])
def test_details_that_are_none_are_refused(directory: Path, metadata: object) -> None:
    content = yaml.safe_load((directory / "MLmodel").read_text())
    (directory / "MLmodel").write_text(yaml.safe_dump({**content, "metadata": metadata}))

    with pytest.raises(UntrustedModelError, match="was not stored by a train job"):
        read_directory(directory, digest=model_digest(directory), trusted=TOY)


def test_a_model_that_no_train_job_stored_is_refused(tmp_path: Path, estimator: object) -> None:
    folder = tmp_path / "foreign"
    mlflow.sklearn.save_model(
        estimator,
        str(folder),
        serialization_format="skops",
        skops_trusted_types=["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
        pip_requirements=[],
    )

    with pytest.raises(UntrustedModelError, match="was not stored by a train job"):
        read_directory(folder, digest=model_digest(folder), trusted=TOY)


@pytest.mark.parametrize(
    ("estimator", "lacking"),
    [(object(), "predict, predict_proba, classes_"), (LinearRegression(), "predict_proba, classes_")],
)
def test_a_fit_must_return_what_its_task_needs(
    tmp_path: Path, rows: LabelledRows, estimator: object, lacking: str
) -> None:
    with pytest.raises(DeclarationError, match=f"without {lacking}"):
        write(tmp_path / "model", estimator, rows)


def test_a_classifier_without_probabilities_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    estimator = Perceptron().fit(rows.features[["amount"]].fillna(0), rows.target)

    with pytest.raises(DeclarationError, match="without predict_proba; "):
        write(tmp_path / "model", estimator, rows)


def test_a_binary_model_of_three_classes_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    three = labelled_rows(toy_models.load("2013-01"), pipeline=toy_models.MULTICLASS)
    estimator = toy_models.fit_trees(three.features, three.target, seed=1)

    with pytest.raises(DeclarationError, match="knows 3 classes; binary_classification needs 2"):
        write(tmp_path / "model", estimator, rows)


def test_the_example_is_readable_by_anything(directory: Path) -> None:
    example = json.loads((directory / "input_example.json").read_text())

    assert example["columns"] == ["amount", "colour", "count", "member"]


def change_details(directory: Path, **lists: Any) -> None:
    """Change what a stored model's description says for a train job."""
    content = yaml.safe_load((directory / "MLmodel").read_text())
    content["metadata"]["mlops"].update(lists)
    (directory / "MLmodel").write_text(yaml.safe_dump(content))


def own_steps(rows: LabelledRows) -> list[Any]:
    return [step for _, step in toy_models.fit_trees(rows.features, rows.target, seed=1).steps]
