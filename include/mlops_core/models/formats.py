"""The formats that may be loaded, as a closed list: whatever is not named here is refused by its name.

A signature says who made a model, and not that it is harmless. So what could run code when it is loaded is
refused also where the digest and the signature fit: pickles of every kind, classes and modules that a model
brings along, and loaders that are not this library's or MLflow's own for these formats.
"""

from collections.abc import Collection, Mapping
from typing import Any

from mlops_core.document import Document
from mlops_core.errors import UntrustedModelError
from mlops_core.models import onnx_format, skops_format, torch_format

_PYTHON_FUNCTION = "python_function"
# What MLflow's description of how it would load a model by itself may say. It is no instruction to us, but a
# model that names code for others to run is none that a train job stored.
_PYTHON_FUNCTION_KEYS = frozenset(
    {"data", "env", "loader_module", "model_path", "predict_fn", "python_version"}
)
_SHARED_FILES = frozenset(
    {
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    }
)


class Format(Document):
    """One allowed format: the flavour that names it, MLflow's loader of it, and the files of its own."""

    name: str
    flavour: str
    loader: str
    files: frozenset[str]


SKOPS = Format(
    name=skops_format.FORMAT, flavour="sklearn", loader="mlflow.sklearn", files=frozenset({"model.skops"})
)
TORCH = Format(
    name=torch_format.FORMAT,
    flavour="mlops_torch",
    loader="mlops_core.models.pyfunc",
    files=frozenset({"data/network/network.json", "data/network/weights.pt"}),
)
ONNX = Format(
    name=onnx_format.FORMAT, flavour="onnx", loader="mlflow.onnx", files=frozenset({onnx_format.MODEL_FILE})
)
_FORMATS = {known.flavour: known for known in (SKOPS, TORCH, ONNX)}


def allowed_format(flavours: object, *, files: Collection[str]) -> Format:
    """Return the format that an MLmodel's flavours name.

    Parameters
    ----------
    files
        Names of all files of the model.

    Raises
    ------
    UntrustedModelError
        If it is no allowed one, or something beside it could run code.
    """
    if not isinstance(flavours, Mapping) or not all(isinstance(one, Mapping) for one in flavours.values()):
        raise UntrustedModelError("the stored model's MLmodel names no flavours; store it by a train job")
    described = flavours.get(_PYTHON_FUNCTION, {})
    own = sorted(str(flavour) for flavour in flavours if flavour != _PYTHON_FUNCTION)
    if not own:
        raise UntrustedModelError(
            f"the stored model is a python_function alone{_code_of(described)}, which is code of its own; "
            f"{_advice()}"
        )
    if len(own) > 1 or own[0] not in _FORMATS:
        raise UntrustedModelError(f"the stored model is of the flavour {', '.join(own)}; {_advice()}")
    chosen = _FORMATS[own[0]]
    _check_serialization(chosen, flavours[own[0]])
    _check_python_function(chosen, described)
    strange = sorted(set(files) - _SHARED_FILES - chosen.files)
    if strange:
        raise UntrustedModelError(
            f"the stored model holds the file {strange[0]!r} ({len(strange)} such), which is none of a "
            f"{chosen.name} model; {_advice()}"
        )
    return chosen


def _check_serialization(chosen: Format, flavour: Mapping[str, Any]) -> None:
    if chosen is not ONNX and (found := flavour.get("serialization_format", "unknown")) != chosen.name:
        raise UntrustedModelError(
            f"the stored model is in the format {found!r}, which can run code when it is loaded; {_advice()}"
        )
    if code := flavour.get("code"):
        raise UntrustedModelError(f"the stored model brings code along (code: {code!r}); {_advice()}")


def _check_python_function(chosen: Format, described: Mapping[str, Any]) -> None:
    code = sorted(str(key) for key, value in described.items() if value and key not in _PYTHON_FUNCTION_KEYS)
    if code:
        raise UntrustedModelError(
            f"the stored model's python_function names {', '.join(code)}, which can be code of its own; "
            f"{_advice()}"
        )
    loader = described.get("loader_module", chosen.loader)
    if loader != chosen.loader:
        raise UntrustedModelError(
            f"the stored model asks to be loaded by {loader!r}; a {chosen.name} model is loaded by "
            f"{chosen.loader!r}"
        )


def _code_of(described: Mapping[str, Any]) -> str:
    named = [
        str(described[key])
        for key in ("python_model", "model_code_path", "loader_module")
        if key in described
    ]
    return f" ({', '.join(named)})" if named else ""


def _advice() -> str:
    return f"allowed are {', '.join(known.name for known in _FORMATS.values())}, as train jobs store them"
