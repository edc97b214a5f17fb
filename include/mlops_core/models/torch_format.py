"""Torch modules as files: the class by name, its arguments as JSON, its weights as tensors.

Nothing is unpickled but tensors, by torch's restricted reader. The class is imported, which runs its module:
so it must lie in a package that the pipeline's author has named. Until a model is signed, these are those of
the declaration, whatever its own files say; see ``mlops_core.models.trust``.

MLflow's own tools, such as ``mlflow.pyfunc.load_model``, know no digest. Loaded by them nothing is verified,
and whoever can write the files decides which class is imported. ``load_model`` in
``mlops_core.models.stored`` is the way.
"""

import io
import json
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.models.network import NetworkEstimator, as_estimator
from mlops_core.models.trust import TrustedCode, root_package
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve

if TYPE_CHECKING:
    from torch import nn

FORMAT = "torch_state_dict"
_EXAMPLE_FILE = "input_example.json"

_FLAVOUR = "mlops_torch"
_DATA = "data/network"
_PYTHON_FILE = "python_env.yaml"
_DESCRIPTION_FILE, _WEIGHTS_FILE = "network.json", "weights.pt"
_LOADER = "mlops_core.models.pyfunc"
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_OWN_PACKAGE = "mlops_core"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "torch")
_TOLERANCE = 1e-6


def write_network(
    directory: Path,
    *,
    estimator: NetworkEstimator,
    pipeline: Pipeline,
    signature: Any,
    input_example: pd.DataFrame,
    details: Mapping[str, Any],
) -> None:
    """Write a fitted module as an MLflow model, after trying that it comes back from its files.

    Raises
    ------
    DeclarationError
        If its ``config`` is no JSON, or does not build a module that predicts the same.
    UntrustedModelError
        If its class lies outside the pipeline's packages and is not declared in ``trusted_types``.
    """
    import mlflow.pyfunc
    from mlflow.models import Model

    files = _files_of(estimator.module)
    rebuilt = read_network(
        {f"{_DATA}/{name}": content for name, content in files.items()},
        trusted=TrustedCode.declared_by(pipeline),
    )
    _check_same(estimator, rebuilt, pipeline=pipeline, example=input_example)
    # Written by hand, because MLflow's saving refuses an example with a gap in a column of booleans.
    (directory / _DATA).mkdir(parents=True)
    for name, content in files.items():
        (directory / _DATA / name).write_bytes(content)
    example = input_example.to_json(orient="split", index=False, date_format="iso", double_precision=15)
    (directory / _EXAMPLE_FILE).write_text(example, encoding="utf-8")
    # A build for other processors has a suffix, which no index knows.
    requirements = [f"{name}=={metadata.version(name).partition('+')[0]}" for name in _REQUIREMENTS]
    (directory / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    python = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (directory / _PYTHON_FILE).write_text(yaml.safe_dump(python), encoding="utf-8")
    example_info = {"artifact_path": _EXAMPLE_FILE, "type": "dataframe", "pandas_orient": "split"}
    model = Model(signature=signature, saved_input_example_info=example_info, metadata=dict(details))
    reference = _reference(estimator.module)
    model.add_flavor(_FLAVOUR, serialization_format=FORMAT, network=reference, data=_DATA)
    mlflow.pyfunc.add_to_model(model, loader_module=_LOADER, data=_DATA, python_env=_PYTHON_FILE)
    model.save(str(directory / "MLmodel"))


def read_network(files: Mapping[str, bytes], *, trusted: TrustedCode) -> "nn.Module":
    """Build a module again from a model's files.

    Parameters
    ----------
    trusted
        Packages whose classes are allowed besides this library's, and single classes beyond those.

    Raises
    ------
    UntrustedModelError
        If the class is not allowed or no torch module, or the weights hold more than tensors.
    DeclarationError
        If the class does not take its ``config``, or has other weights.
    """
    try:
        described = json.loads(files[f"{_DATA}/{_DESCRIPTION_FILE}"])
        reference, config, classes = (described[name] for name in ("class", "config", "classes"))
        content = files[f"{_DATA}/{_WEIGHTS_FILE}"]
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedModelError(f"the stored network is not described as one: {error!r}") from error
    kind = _trusted_class(reference, trusted=trusted)
    # The weights first: a file that is no weights should not get as far as the class's own code.
    weights = _read_weights(content)
    try:
        module: nn.Module = kind(**config)
        module.load_state_dict(weights)
    except Exception as error:  # a class's own code may raise anything
        raise DeclarationError(
            f"{reference} cannot be built again from its config {_shortened(config)}: {error}; "
            "`type(module)(**module.config)` must give a module of the same weights"
        ) from error
    if classes is not None:
        module.classes = classes
    return module.eval()


def _files_of(module: "nn.Module") -> dict[str, bytes]:
    import torch

    classes = getattr(module, "classes", None)
    described = {
        "class": _reference(module),
        "config": module.config,
        "classes": None if classes is None else np.asarray(classes).tolist(),
    }
    try:
        # Keys keep their order: a module may number its columns by it.
        text = json.dumps(described, allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise DeclarationError(
            f"the config of {_reference(module)} cannot be written as JSON: {error}; use plain numbers, "
            "texts, lists and dicts"
        ) from error
    weights = io.BytesIO()
    torch.save(module.state_dict(), weights)
    return {_DESCRIPTION_FILE: text.encode(), _WEIGHTS_FILE: weights.getvalue()}


def _trusted_class(reference: object, *, trusted: TrustedCode) -> Any:
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise UntrustedModelError(
            f"the stored network is of the class {reference!r}, which no import finds; define it at the top "
            "of a module"
        )
    allowed = {_OWN_PACKAGE, *trusted.packages}
    if root_package(reference) not in allowed and reference.replace(":", ".") not in trusted.trusted_types:
        raise UntrustedModelError(
            f"the network's class {reference} lies outside the packages {', '.join(sorted(allowed))}; move "
            f"it there, or declare {reference.replace(':', '.')!r} in the pipeline's trusted_types"
        )
    from torch import nn

    kind = resolve(reference)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise UntrustedModelError(f"{reference} is no torch module, so it is not called")
    return kind


def _read_weights(content: bytes) -> dict[str, Any]:
    import torch

    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its parts do
        raise UntrustedModelError(
            f"the stored weights are no tensors, whatever their name says: {str(error)[:200]}"
        ) from error
    if not isinstance(weights, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in weights.values()
    ):
        raise UntrustedModelError("the stored weights hold something else than tensors by name")
    return weights


def _check_same(
    estimator: NetworkEstimator, rebuilt: "nn.Module", *, pipeline: Pipeline, example: pd.DataFrame
) -> None:
    again = as_estimator(rebuilt, task=pipeline.task, example=example)
    first, second = (
        asked.predict(example) if not hasattr(asked, "classes_") else asked.predict_proba(example)
        for asked in (estimator, again)
    )
    if not np.allclose(first, second, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        difference = float(np.nanmax(np.abs(first - second)))
        raise DeclarationError(
            f"pipeline {pipeline.name!r}: {_reference(estimator.module)} predicts otherwise once it is built "
            f"again from its config and weights (by up to {difference:.3g}); whatever shapes its answer "
            "belongs in `config`, a parameter or a buffer"
        )


def _reference(module: "nn.Module") -> str:
    kind = type(module)
    return f"{kind.__module__}:{kind.__qualname__}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
