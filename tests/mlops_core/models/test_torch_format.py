"""A torch module is stored as class, arguments and weights, and comes back the same or not at all."""

import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from mlflow import MlflowClient
from torch import nn

import torch_models
import toy_models
from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.models.directory import model_digest, read_directory, write_directory
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.stored import load_model, log_model
from mlops_core.models.trust import AS_THE_FILES_SAY, Trust, TrustedCode
from mlops_core.pipeline import Pipeline
from mlops_core.training.rows import LabelledRows, labelled_rows

TABLE = toy_models.load("2013-02")
TORCH = TrustedCode.declared_by(torch_models.BINARY)
NETWORK = Path("data") / "network"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def network(**config: Any) -> torch_models.Network:
    torch.manual_seed(0)
    return torch_models.Network(**{"colours": list(torch_models.COLOURS), "outputs": 2, **config})


def write(
    directory: Path, module: nn.Module, rows: LabelledRows, *, pipeline: Pipeline = torch_models.BINARY
) -> Path:
    write_directory(
        directory,
        estimator=module,
        pipeline=pipeline,
        features=rows.types,
        input_example=rows.features.head(5),
    )
    return directory


def read(directory: Path, *, trusted: Trust = TORCH) -> LoadedModel:
    return read_directory(directory, digest=model_digest(directory), trusted=trusted)


def describe(directory: Path, **changes: Any) -> None:
    """Change what a stored network says of itself."""
    path = directory / NETWORK / "network.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def directory(tmp_path: Path, rows: LabelledRows) -> Path:
    return write(tmp_path / "model", network(), rows)


@pytest.mark.parametrize(
    "pipeline",
    [torch_models.BINARY, torch_models.MULTICLASS, torch_models.REGRESSION],
    ids=lambda one: one.name,
)
def test_what_is_read_predicts_what_was_fitted(tmp_path: Path, pipeline: Pipeline) -> None:
    rows = labelled_rows(TABLE, pipeline=pipeline)
    module = torch_models.fit_network(rows.features, rows.target, seed=1, epochs=1)
    fitted = LoadedModel.of(
        module, task=pipeline.task, features=rows.types, input_example=rows.features.head(3), digest=""
    )

    model = read(write(tmp_path / "model", module, rows, pipeline=pipeline))

    answer, expected = model.predict(rows.features), fitted.predict(rows.features)
    np.testing.assert_array_equal(answer.scores, expected.scores)
    np.testing.assert_array_equal(answer.labels, expected.labels)
    assert model.classes == fitted.classes
    assert set(answer.labels.tolist()) <= set(rows.target.tolist()) or not model.classes


def test_the_format_and_the_class_are_named_in_the_models_description(directory: Path) -> None:
    flavour = mlflow.models.Model.load(str(directory)).flavors["mlops_torch"]

    assert flavour["serialization_format"] == "torch_state_dict"
    assert flavour["network"] == "torch_models:Network"


def test_mlflow_can_load_it_by_itself(directory: Path, rows: LabelledRows) -> None:
    full = rows.features.dropna().astype({"member": bool})

    answer = mlflow.pyfunc.load_model(str(directory)).predict(full)

    np.testing.assert_array_equal(answer, read(directory).predict(full).labels)


def test_it_comes_back_from_the_tracking_store(
    client: MlflowClient, run_id: str, rows: LabelledRows, local_tracking_uri: str
) -> None:
    module = network(width=6)
    record = log_model(
        client,
        run_id=run_id,
        estimator=module,
        pipeline=torch_models.BINARY,
        input_example=rows.features.head(5),
        features=rows.types,
    )

    model = load_model(record, tracking_uri=local_tracking_uri, trusted=TORCH)

    assert model.predict(rows.features).scores.shape == (len(rows.features),)
    assert client.get_logged_model(record.model_id).params["estimator.width"] == "6"
    with pytest.raises(
        UntrustedModelError, match="asks to trust the packages torch_models, toy_models, which"
    ):
        load_model(record, tracking_uri=local_tracking_uri, trusted=TrustedCode())


@pytest.mark.parametrize("name", ["MLmodel", "data/network/weights.pt", "data/network/network.json"])
def test_a_changed_byte_in_any_file_is_refused(directory: Path, name: str) -> None:
    digest = model_digest(directory)
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / name).write_bytes(content)

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        read_directory(directory, digest=digest, trusted=TORCH)


def test_a_pickle_in_the_place_of_the_weights_is_not_run(directory: Path, tmp_path: Path) -> None:
    for content in (
        pickle.dumps(Bomb(tmp_path / "exploded")),
        saved({"weight": Bomb(tmp_path / "exploded")}),
    ):
        (directory / NETWORK / "weights.pt").write_bytes(content)

        with pytest.raises(UntrustedModelError, match="weights are no tensors"):
            read(directory)
    assert not (tmp_path / "exploded").exists()


def test_weights_that_are_no_tensors_are_refused(directory: Path) -> None:
    (directory / NETWORK / "weights.pt").write_bytes(saved({"weight": 3}))

    with pytest.raises(UntrustedModelError, match="something else than tensors"):
        read(directory)


@pytest.mark.parametrize("reference", ["torch.nn:Linear", "subprocess:Popen", "os:system"])
def test_a_foreign_class_is_refused_before_it_is_imported(directory: Path, reference: str) -> None:
    describe(directory, **{"class": reference})

    with pytest.raises(
        UntrustedModelError, match=f"class {reference} lies outside the packages mlops_core, t"
    ):
        read(directory)


@pytest.mark.parametrize("reference", ["toy_models:load", "torch_models:TorchSettings"])
def test_what_is_no_module_is_not_called(directory: Path, reference: str) -> None:
    describe(directory, **{"class": reference})

    with pytest.raises(UntrustedModelError, match="is no torch module"):
        read(directory)


def test_a_foreign_class_is_not_stored_unless_it_is_declared(tmp_path: Path, rows: LabelledRows) -> None:
    elsewhere = torch_models.BINARY.model_copy(
        update={"candidates": toy_models.BINARY.candidates, "loader": "toy_models:load"}
    )
    with pytest.raises(UntrustedModelError, match="torch_models:Network lies outside the packages"):
        write(tmp_path / "refused", network(), rows, pipeline=elsewhere)

    declared = elsewhere.model_copy(update={"trusted_types": frozenset({"torch_models.Network"})})
    directory = write(tmp_path / "stored", network(), rows, pipeline=declared)

    assert read(directory, trusted=TrustedCode.declared_by(declared)).classes == (0, 1)
    with pytest.raises(UntrustedModelError, match=r"asks to trust the types torch_models\.Network"):
        read(directory, trusted=TrustedCode.declared_by(elsewhere))


def test_a_class_of_a_package_that_the_caller_does_not_trust_is_refused(directory: Path) -> None:
    path = directory / "MLmodel"
    content = yaml.safe_load(path.read_text())
    content["metadata"]["mlops"]["packages"] = []
    path.write_text(yaml.safe_dump(content))

    assert read(directory).classes == (0, 1)
    with pytest.raises(UntrustedModelError, match="lies outside the packages mlops_core;"):
        read(directory, trusted=TrustedCode())
    with pytest.raises(UntrustedModelError, match="lies outside the packages mlops_core;"):
        read(directory, trusted=AS_THE_FILES_SAY)


def test_a_class_that_no_import_finds_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    class Hidden(torch_models.Network):
        pass

    with pytest.raises(UntrustedModelError, match="define it at the top of a module"):
        write(tmp_path / "model", Hidden(colours=["red"], outputs=2), rows)


def test_a_module_whose_config_does_not_build_it_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    stubborn = torch_models.StubbornNetwork(colours=["red"], outputs=2)

    with pytest.raises(DeclarationError, match=r"cannot be built again from its config .* 'depth'"):
        write(tmp_path / "model", stubborn, rows)


def test_a_module_whose_config_builds_another_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    module = network()
    module.config["width"] = 9

    with pytest.raises(DeclarationError, match="size mismatch"):
        write(tmp_path / "model", module, rows)


def test_a_module_that_predicts_otherwise_once_it_is_built_again_is_refused(
    tmp_path: Path, rows: LabelledRows
) -> None:
    forgetful = torch_models.ForgetfulNetwork(colours=["red"], outputs=2)
    forgetful.scale = 2.0

    with pytest.raises(DeclarationError, match="predicts otherwise once it is built again"):
        write(tmp_path / "model", forgetful, rows)


def test_a_config_that_is_no_json_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    module = network()
    module.config["device"] = torch.device("cpu")

    with pytest.raises(DeclarationError, match="cannot be written as JSON"):
        write(tmp_path / "model", module, rows)


def test_a_module_without_encode_or_config_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    with pytest.raises(DeclarationError, match="fit returned a Linear without encode, config"):
        write(tmp_path / "model", nn.Linear(3, 2), rows)


def test_a_binary_network_of_three_classes_is_refused(tmp_path: Path, rows: LabelledRows) -> None:
    with pytest.raises(DeclarationError, match="knows 3 classes; binary_classification needs 2"):
        write(tmp_path / "model", network(outputs=3), rows)


def test_classes_in_any_order_are_answered_in_scikit_learns(rows: LabelledRows) -> None:
    module = network(outputs=3)
    plain = wrap(module, rows).predict(rows.features).scores
    module.classes = ["small", "large", "middle"]

    model = wrap(module, rows)

    assert model.classes == ("large", "middle", "small")
    answer = model.predict(rows.features)
    np.testing.assert_array_equal(answer.scores, plain[:, [1, 2, 0]])
    names = np.asarray(["small", "large", "middle"])
    np.testing.assert_array_equal(answer.labels, names[plain.argmax(axis=1)])


@pytest.mark.parametrize("classes", [["a"], ["a", "a", "b"], ["a", "b", "c", "d"]])
def test_classes_must_fit_the_logits(rows: LabelledRows, classes: list[str]) -> None:
    module = network(outputs=3)
    module.classes = classes

    with pytest.raises(DeclarationError, match="answers 3 classes a row and names"):
        wrap(module, rows)


def test_one_logit_a_row_is_the_odds_of_the_second_class(rows: LabelledRows) -> None:
    module = network(outputs=1)

    model = wrap(module, rows, pipeline=torch_models.BINARY)

    with torch.no_grad():
        expected = torch.sigmoid(module(*module.encode(rows.features)).double()).numpy()
    np.testing.assert_allclose(model.predict(rows.features).scores, expected, rtol=1e-6)


def test_rows_beyond_one_batch_get_the_same_answers(
    rows: LabelledRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wrap(network(), rows, pipeline=torch_models.BINARY)
    together = model.predict(rows.features).scores

    monkeypatch.setattr("mlops_core.models.network._ROWS_AT_ONCE", 7)

    np.testing.assert_allclose(model.predict(rows.features).scores, together, rtol=1e-5)


@pytest.mark.integration
def test_loading_a_model_of_scikit_learn_imports_no_torch(
    tmp_path: Path, rows: LabelledRows, estimator: object
) -> None:
    write_directory(
        tmp_path / "model",
        estimator=estimator,
        pipeline=toy_models.BINARY,
        features=rows.types,
        input_example=rows.features.head(5),
    )
    code = (
        "import sys, pathlib, mlops_core.serving.app, mlops_core.models.stored\n"
        "from mlops_core.models.directory import model_digest, read_directory\n"
        "from mlops_core.models.trust import AS_THE_FILES_SAY\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "model = read_directory(folder, digest=model_digest(folder), trusted=AS_THE_FILES_SAY)\n"
        "model.predict(model.input_example)\n"
        "print('torch' in sys.modules)\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["False"]


def wrap(
    module: nn.Module, rows: LabelledRows, *, pipeline: Pipeline = torch_models.MULTICLASS
) -> LoadedModel:
    return LoadedModel.of(
        module, task=pipeline.task, features=rows.types, input_example=rows.features.head(3), digest=""
    )


def saved(content: object) -> bytes:
    target = io.BytesIO()
    torch.save(content, target)
    return target.getvalue()


def test_a_row_without_any_value_is_answered(rows: LabelledRows) -> None:
    empty = pd.DataFrame([dict.fromkeys(rows.types)])

    assert np.isfinite(wrap(network(outputs=3), rows).predict(empty).scores).all()
