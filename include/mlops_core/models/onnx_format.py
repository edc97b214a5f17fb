"""ONNX files: a graph of operators without code. They are loaded here, and never written.

Such a model comes from elsewhere. Stored by ``mlflow.onnx`` with an input example, a signature and
``metadata={"mlops": {"task": ..., "classes": [...]}}`` it is a model as those of train jobs are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.evaluation.catalogue import Task

FORMAT = "onnx"
MODEL_FILE = "model.onnx"

# The standard's own. Others are extensions of one runtime, which may do what they like.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


class OnnxEstimator:
    """Answers as an estimator of scikit-learn does.

    The graph has an input a feature, by its name, or one for all of them in order. A classifier has an output
    of shape (n, classes) with probabilities, or (n,) or (n, 1) with that of the second class.

    Parameters
    ----------
    session
        Of onnxruntime.
    classes
        In the order of the probabilities; none for a regression.
    """

    def __init__(self, session: Any, *, classes: Sequence[Any]) -> None:
        self._session = session
        self._output = _float_output(session)
        if classes:
            self.classes_ = np.asarray(classes)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return values, or the most probable classes."""
        if not hasattr(self, "classes_"):
            return self._run(frame).reshape(len(frame))
        labels: np.ndarray = self.classes_[self.predict_proba(frame).argmax(axis=1)]
        return labels

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities, shape (n, classes)."""
        scores = self._run(frame).reshape(len(frame), -1)
        if scores.shape[1] == 1:
            scores = np.hstack([1 - scores, scores])
        if scores.shape[1] != len(self.classes_):
            raise DeclarationError(
                f"the ONNX model gives {scores.shape[1]} probabilities, and its metadata name "
                f"{len(self.classes_)} classes; name each class once, in the order of the probabilities"
            )
        return scores

    def _run(self, frame: pd.DataFrame) -> np.ndarray:
        (answer,) = self._session.run([self._output], _inputs(self._session, frame))
        return np.asarray(answer, dtype=np.float64)


def read_estimator(files: Mapping[str, bytes], *, task: Task, classes: Sequence[Any]) -> OnnxEstimator:
    """Build an ONNX model's session from a model's files.

    Raises
    ------
    UntrustedModelError
        If the file is no ONNX model, refers to files beside it, or uses operators beyond the standard's.
    DeclarationError
        If no runtime is installed, or the metadata name no classes.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise DeclarationError(
            f"the stored model is an ONNX model, and {error.name} is not installed; install the extra `onnx`"
        ) from error
    if MODEL_FILE not in files:
        raise UntrustedModelError(f"the stored model lacks {MODEL_FILE}, which holds its graph")
    if task is not Task.REGRESSION and len(classes) < 2:
        raise DeclarationError(
            "the ONNX model's metadata name no classes; store it with "
            'metadata={"mlops": {"classes": [...], ...}}'
        )
    content = files[MODEL_FILE]
    try:
        graph = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf and onnx raise errors of their own
        raise UntrustedModelError(
            f"the stored graph is no ONNX model, whatever its name says: {str(error)[:200]}"
        ) from error
    _check_graph(graph)
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no base of their own
        raise UntrustedModelError(f"the stored graph cannot be run: {str(error)[:200]}") from error
    return OnnxEstimator(session, classes=() if task is Task.REGRESSION else classes)


def _check_graph(graph: Any) -> None:
    import onnx

    own = {(function.domain, function.name) for function in graph.functions}
    for message in _messages(graph):
        if isinstance(message, onnx.TensorProto) and (
            message.data_location == onnx.TensorProto.EXTERNAL or message.external_data
        ):
            raise UntrustedModelError(
                f"the tensor {message.name!r} of the ONNX model lies in another file, which nothing vouches "
                "for; store it with save_as_external_data=False"
            )
        if (
            isinstance(message, onnx.NodeProto)
            and message.domain not in _DOMAINS
            and (message.domain, message.op_type) not in own
        ):
            raise UntrustedModelError(
                f"the ONNX model uses the operator {message.op_type} of {message.domain!r}; allowed are "
                "those of the standard, ai.onnx and ai.onnx.ml"
            )


def _messages(message: Any) -> Iterator[Any]:
    """Every protobuf message within one: graphs lie in attributes of nodes, and tensors anywhere."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if hasattr(value, "__len__") else (value,):
                yield from _messages(inner)


def _float_output(session: Any) -> str:
    names = [one.name for one in session.get_outputs() if one.type in ("tensor(float)", "tensor(double)")]
    if not names:
        found = ", ".join(f"{one.name} {one.type}" for one in session.get_outputs())
        raise DeclarationError(
            f"the ONNX model has no output of numbers, it has {found}; convert it without `zipmap`, so that "
            "its probabilities are a tensor"
        )
    # Classifiers give labels first and probabilities last.
    return str(names[-1])


def _inputs(session: Any, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    inputs = {one.name: one for one in session.get_inputs()}
    if inputs.keys() == set(frame.columns):
        return {name: _column(frame[name], one) for name, one in inputs.items()}
    if len(inputs) == 1:
        ((name, one),) = inputs.items()
        return {name: frame.to_numpy(dtype=_type(one))}
    raise DeclarationError(
        f"the ONNX model has the inputs {', '.join(inputs)}; its signature names the features "
        f"{', '.join(frame.columns)}: an input a feature, or one for all"
    )


def _column(column: pd.Series, one: Any) -> np.ndarray:
    values = column.to_numpy(dtype=_type(one))
    return values.reshape(-1, 1) if len(one.shape) == 2 else values


def _type(one: Any) -> Any:
    if one.type not in _TYPES:
        raise DeclarationError(
            f"the ONNX model's input {one.name} is a {one.type}; known are {', '.join(_TYPES)}"
        )
    return _TYPES[one.type]
