"""ONNX models are loaded when they are the standard's graphs alone, and answer as estimators do."""

from pathlib import Path
from typing import Any

import mlflow.onnx
import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow.models import infer_signature
from onnx import TensorProto, helper, numpy_helper

from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.models.directory import model_digest, read_directory
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.trust import TrustedCode

FRAME = pd.DataFrame({"distance": [0.0, 1.0, -2.0], "delay": [1.0, 3.0, 0.5]})
WEIGHTS = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 0.0]], dtype=np.float32)


def graph(
    *, columns: int = 3, activation: str = "Softmax", single: bool = True, **options: Any
) -> onnx.ModelProto:
    """A linear model of two features: all in one input, or an input each."""
    weights = numpy_helper.from_array(np.ascontiguousarray(WEIGHTS[:, :columns]), "weights")
    inputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])]
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["raw"]),
        helper.make_node(activation, ["raw"], ["probabilities"]),
    ]
    if not single:
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in FRAME.columns]
        nodes.insert(0, helper.make_node("Concat", list(FRAME.columns), ["rows"], axis=1))
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, columns])]
    made = helper.make_graph(nodes, "linear", inputs, outputs, initializer=[weights])
    opsets = [helper.make_opsetid("", 17), *options.pop("opsets", ())]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, **options)


def store(
    folder: Path, model: onnx.ModelProto, *, task: str = "multiclass_classification", **metadata: Any
) -> Path:
    """Store a model as its maker would."""
    declared = {"task": task, "pipeline": "flights", "target": "late", **metadata}
    directory = folder / "model"
    mlflow.onnx.save_model(
        model,
        str(directory),
        signature=infer_signature(FRAME, np.zeros(3)),
        input_example=FRAME,
        metadata={"mlops": declared},
        pip_requirements=[],
        save_as_external_data=False,
    )
    return directory


def read(directory: Path) -> LoadedModel:
    return read_directory(directory, digest=model_digest(directory), trusted=TrustedCode())


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values)
    answer: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return answer


@pytest.mark.parametrize("single", [True, False], ids=["one input", "an input a feature"])
def test_a_classifier_answers_with_its_classes(tmp_path: Path, single: bool) -> None:
    model = read(store(tmp_path, graph(single=single), classes=["early", "late", "on time"]))

    answer = model.predict(FRAME)

    expected = softmax(FRAME.to_numpy() @ WEIGHTS)
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-5)
    assert model.classes == ("early", "late", "on time")
    assert answer.labels.tolist() == np.array(model.classes)[expected.argmax(axis=1)].tolist()


def test_a_binary_classifier_may_give_one_probability(tmp_path: Path) -> None:
    single = graph(columns=1, activation="Sigmoid")
    model = read(store(tmp_path, single, task="binary_classification", classes=[False, True]))

    answer = model.predict(FRAME)

    expected = 1 / (1 + np.exp(-FRAME.to_numpy() @ WEIGHTS[:, 0]))
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-5)
    assert answer.labels.tolist() == (expected > 0.5).tolist()


def test_a_regression_needs_no_classes(tmp_path: Path) -> None:
    model = read(store(tmp_path, graph(columns=1, activation="Identity"), task="regression"))

    np.testing.assert_allclose(model.predict(FRAME).scores, FRAME.to_numpy() @ WEIGHTS[:, 0], rtol=1e-5)
    assert model.classes == ()


def test_a_model_that_lies_in_several_files_is_refused(tmp_path: Path) -> None:
    directory = store(tmp_path, graph(), classes=[1, 2, 3])
    model = onnx.load(directory / "model.onnx")
    onnx.save_model(
        model, directory / "model.onnx", save_as_external_data=True, size_threshold=0, location="weights.bin"
    )

    with pytest.raises(UntrustedModelError, match=r"holds the file 'weights\.bin'"):
        read(directory)
    (directory / "weights.bin").unlink()
    with pytest.raises(UntrustedModelError, match=r"the tensor 'weights' .* lies in another file"):
        read(directory)


def test_a_tensor_of_another_place_deep_within_the_graph_is_found(tmp_path: Path) -> None:
    model = graph()
    hidden = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[1])
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/passwd")
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=hidden)], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    directory = store(tmp_path, graph(), classes=[1, 2, 3])
    (directory / "model.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(
        UntrustedModelError, match="the tensor 'hidden' of the ONNX model lies in another file"
    ):
        read(directory)


def test_operators_of_others_are_refused(tmp_path: Path) -> None:
    model = graph(opsets=[helper.make_opsetid("com.microsoft", 1)])
    model.graph.node[1].domain = "com.microsoft"
    model.graph.node[1].op_type = "PythonOp"
    directory = store(tmp_path, graph(), classes=[1, 2, 3])
    (directory / "model.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(UntrustedModelError, match=r"the operator PythonOp of 'com\.microsoft'"):
        read(directory)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x80\x04no graph", "is no ONNX model"), (b"", "cannot be run|is no ONNX model")],
    ids=["a pickle", "nothing"],
)
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    directory = store(tmp_path, graph(), classes=[1, 2, 3])
    (directory / "model.onnx").write_bytes(content)

    with pytest.raises(UntrustedModelError, match=words):
        read(directory)


@pytest.mark.parametrize("classes", [[], ["one"]])
def test_a_classifier_must_name_its_classes(tmp_path: Path, classes: list[str]) -> None:
    with pytest.raises(DeclarationError, match="metadata name no classes"):
        read(store(tmp_path, graph(), classes=classes))


def test_as_many_classes_as_probabilities_are_needed(tmp_path: Path) -> None:
    model = read(store(tmp_path, graph(), classes=["early", "late"]))

    with pytest.raises(DeclarationError, match="gives 3 probabilities, and its metadata name 2 classes"):
        model.predict(FRAME)


def test_inputs_that_are_no_features_are_refused(tmp_path: Path) -> None:
    model = graph(single=False)
    model.graph.input[0].name = "speed"
    model.graph.node[0].input[0] = "speed"
    loaded = read(store(tmp_path, model, classes=[1, 2, 3]))

    with pytest.raises(
        DeclarationError, match=r"has the inputs speed, delay; its signature names .* distance"
    ):
        loaded.predict(FRAME)
