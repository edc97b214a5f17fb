"""The directory that one model is: MLflow's layout, a format that runs no code, named by a digest.

An estimator of scikit-learn is stored by skops, a torch module as its class, its arguments and its weights;
pickles are refused. The digest covers every file, so what is loaded is what was fitted.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from mlflow.entities import LoggedModel
from mlflow.models import Model

from mlops_core.errors import UntrustedModelError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models import onnx_format, skops_format, torch_format
from mlops_core.models.formats import ONNX, TORCH, Format, allowed_format
from mlops_core.models.frames import conform
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.network import NetworkEstimator, as_estimator
from mlops_core.models.skops_format import check_estimator, write_estimator
from mlops_core.models.torch_format import write_network
from mlops_core.models.trust import AS_THE_FILES_SAY, Trust, TrustedCode
from mlops_core.pipeline import Pipeline

_MODEL_FILE = "MLmodel"
_EXAMPLE_FILE = "input_example.json"
_METADATA_KEY = "mlops"
# MLflow writes it beside a model that is downloaded by its registered name. No digest covers it, so it is
# never read, whatever it holds.
_NOT_OF_THE_MODEL = frozenset({"registered_model_meta"})


def model_digest(directory: Path) -> str:
    """Sha256 over the sorted relative paths and contents of every file in a model's directory.

    Raises
    ------
    UntrustedModelError
        If there is no file, or a link.
    """
    return _digest(_read_files(directory))


def write_directory(
    directory: Path,
    *,
    estimator: Any,
    pipeline: Pipeline,
    features: Mapping[str, str],
    input_example: pd.DataFrame,
) -> None:
    """Write a fitted estimator, or torch module, with its signature, input example and requirements.

    Raises
    ------
    DeclarationError
        If the estimator lacks what its task needs, holds types that are not declared as trusted, or is a
        module that cannot be built again from its ``config``.
    UntrustedModelError
        If a module's class lies outside the pipeline's packages.
    """
    example = conform(input_example, features)
    asked = as_estimator(estimator, task=pipeline.task, example=example)
    check_estimator(asked, pipeline)
    declared = TrustedCode.declared_by(pipeline)
    write = write_network if isinstance(asked, NetworkEstimator) else write_estimator
    write(
        directory,
        estimator=asked,
        pipeline=pipeline,
        signature=_signature(features, labels=asked.predict(example)),
        input_example=example,
        details={
            _METADATA_KEY: {
                "pipeline": pipeline.name,
                "task": pipeline.task.value,
                "target": pipeline.target,
                "trusted_types": sorted(declared.trusted_types),
                "packages": sorted(declared.packages),
            }
        },
    )


def bind_directory(directory: Path, logged: LoggedModel) -> None:
    """Write into the directory which logged model of which run it is; its digest changes."""
    model = Model.load(str(directory))
    model.artifact_path = logged.artifact_location
    model.model_uuid = logged.model_id
    model.model_id = logged.model_id
    model.run_id = logged.source_run_id
    model.model_size_bytes = sum(len(content) for content in _read_files(directory).values())
    model.save(str(directory / _MODEL_FILE))


def read_directory(directory: Path, *, digest: str, trusted: Trust) -> LoadedModel:
    """Verify a model's directory and load it, without any server.

    Parameters
    ----------
    digest
        Which model it must be. It is checked on the same bytes that are loaded, before any of them is parsed.
    trusted
        What it may be built from. A model whose own files name more is refused, whether it holds that or not.
        ``AS_THE_FILES_SAY`` believes those files: only after a signature over the digest was verified.

    Raises
    ------
    UntrustedModelError
        If the files differ from the digest, are of a format that can run code, or hold or name types or
        packages that are not trusted.
    """
    files = _read_files(directory)
    found = _digest(files)
    if found != digest:
        raise UntrustedModelError(
            f"the model files in {directory} have the digest {found}, not {digest}: they were changed after "
            "they were stored; nothing of them was loaded"
        )
    model, stored_as = _parse_model(files, directory)
    try:
        declared = _details(model)
        task = Task(declared["task"])
        features = {column.name: column.type.name for column in model.signature.inputs.inputs}
        example = json.loads(files[_EXAMPLE_FILE])
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise UntrustedModelError(f"{directory} was not stored by a train job: {error!r}") from error
    allowed = _allowed(TrustedCode.named_in(declared), trusted)
    if stored_as is ONNX:
        estimator: Any = onnx_format.read_estimator(files, task=task, classes=declared.get("classes", ()))
    elif stored_as is TORCH:
        estimator = torch_format.read_network(files, trusted=allowed)
    else:
        estimator = skops_format.read_estimator(files, trusted_types=allowed.trusted_types)
    return LoadedModel.of(
        estimator,
        task=task,
        features=features,
        input_example=pd.DataFrame(example["data"], columns=example["columns"]),
        digest=digest,
    )


def named_code(directory: Path) -> TrustedCode:
    """Return the lists in a model's own files, which are worth what the files are.

    Raises
    ------
    UntrustedModelError
        If the files are of a format that can run code, or the lists are none.
    """
    model, _ = _parse_model(_read_files(directory), directory)
    return TrustedCode.named_in(_details(model))


def _details(model: Model) -> Mapping[str, Any]:
    """Return what a train job has written into a model's description."""
    return (model.metadata or {}).get(_METADATA_KEY) or {}


def _allowed(named: TrustedCode, trusted: Trust) -> TrustedCode:
    if trusted == AS_THE_FILES_SAY:
        return named
    trusted.require_no_more(named)
    return trusted


def _read_files(directory: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            raise UntrustedModelError(f"{directory} holds the link {name}; a model is made of files alone")
        if not (path.is_file() or path.is_dir()):
            raise UntrustedModelError(
                f"{directory} holds {name}, which is no file; a model is made of files alone"
            )
        if path.is_file() and name not in _NOT_OF_THE_MODEL:
            files[name] = path.read_bytes()
    if not files:
        raise UntrustedModelError(f"{directory} holds no model: it has no files")
    return files


def _digest(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def _parse_model(files: Mapping[str, bytes], directory: Path) -> tuple[Model, Format]:
    if _MODEL_FILE not in files:
        raise UntrustedModelError(f"{directory} holds no {_MODEL_FILE}")
    try:
        described = yaml.safe_load(files[_MODEL_FILE])
        flavours = described["flavors"]
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UntrustedModelError(
            f"{directory} holds an {_MODEL_FILE} that describes no model: {error!r}"
        ) from error
    # Before MLflow sees the description: what is refused is looked at no further.
    stored_as = allowed_format(flavours, files=files)
    return Model.from_dict(described), stored_as


def _signature(features: Mapping[str, str], *, labels: Any) -> Any:
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema

    # Inferred from the rows, the inputs would change with the gaps that the rows happen to have.
    inputs = Schema([ColSpec(type=kind, name=name) for name, kind in features.items()])
    return ModelSignature(inputs=inputs, outputs=infer_signature(labels).inputs)
