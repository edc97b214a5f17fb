"""The directory that one model is: MLflow's layout, skops format, named by a digest.

skops rebuilds an estimator from a list of allowed types and runs no code from the file, where unpickling
would run whatever was put there. The digest covers every file, so what is loaded is what was fitted.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd
import yaml
from mlflow.entities import LoggedModel
from mlflow.models import Model

from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.frames import conform
from mlops_core.models.loaded import LoadedModel
from mlops_core.pipeline import Pipeline

TRUSTED_TYPES = frozenset(
    {
        # For HistGradientBoosting with categories and FunctionTransformer; what they call is checked too.
        "functools.partial",
        "sklearn.utils.validation.check_array",
        # Data structures and settings of scikit-learn that skops does not list because they are private.
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
    }
)
"""What a stored model may hold beyond the types that skops trusts by itself."""

_MODEL_FILE = "MLmodel"
_ESTIMATOR_FILE = "model.skops"
_EXAMPLE_FILE = "input_example.json"
_METADATA_KEY = "mlops"
_FORMAT = "skops"
# MLflow writes it beside a model that is downloaded by its registered name; nothing loads it.
_NOT_OF_THE_MODEL = frozenset({"registered_model_meta"})
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


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
    """Write a fitted estimator with its signature, input example and requirements.

    Raises
    ------
    DeclarationError
        If the estimator lacks what its task needs, or holds types that are not declared as trusted.
    """
    import mlflow.sklearn

    _check_estimator(estimator, pipeline)
    _check_types(estimator, pipeline)
    trusted = sorted(TRUSTED_TYPES | pipeline.trusted_types)
    example = conform(input_example, features)
    mlflow.sklearn.save_model(
        estimator,
        str(directory),
        serialization_format=_FORMAT,
        skops_trusted_types=trusted,
        signature=_signature(features, labels=estimator.predict(example)),
        input_example=example,
        # Inferring them would start a process that imports everything again.
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in _REQUIREMENTS],
        metadata={
            _METADATA_KEY: {
                "pipeline": pipeline.name,
                "task": pipeline.task.value,
                "target": pipeline.target,
                "trusted_types": sorted(pipeline.trusted_types),
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
    model.save(str(directory / _MODEL_FILE))


def read_directory(
    directory: Path, *, digest: str, trusted_types: Iterable[str] | None = None
) -> LoadedModel:
    """Verify a model's directory and load it, without any server.

    Parameters
    ----------
    digest
        Which model it must be. It is checked on the same bytes that are loaded, before any of them is parsed.
    trusted_types
        Allowed beyond ``TRUSTED_TYPES``. None allows those that were declared when the model was stored,
        which the digest covers.

    Raises
    ------
    UntrustedModelError
        If the files differ from the digest, are of another format than skops, or hold types not allowed.
    """
    files = _read_files(directory)
    found = _digest(files)
    if found != digest:
        raise UntrustedModelError(
            f"the model files in {directory} have the digest {found}, not {digest}: they were changed after "
            "they were stored; nothing of them was loaded"
        )
    model = _parse_model(files, directory)
    declared = (model.metadata or {}).get(_METADATA_KEY) or {}
    try:
        task = Task(declared["task"])
        features = {column.name: column.type.name for column in model.signature.inputs.inputs}
        example = json.loads(files[_EXAMPLE_FILE])
    except (KeyError, AttributeError, ValueError) as error:
        raise UntrustedModelError(f"{directory} was not stored by a train job: {error!r}") from error
    allowed = declared.get("trusted_types", ()) if trusted_types is None else trusted_types
    estimator = _load_estimator(files[_ESTIMATOR_FILE], allowed=TRUSTED_TYPES.union(allowed))
    return LoadedModel.of(
        estimator,
        task=task,
        features=features,
        input_example=pd.DataFrame(example["data"], columns=example["columns"]),
        digest=digest,
    )


def _read_files(directory: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            raise UntrustedModelError(f"{directory} holds the link {name}; a model is made of files alone")
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


def _parse_model(files: Mapping[str, bytes], directory: Path) -> Model:
    if _MODEL_FILE not in files:
        raise UntrustedModelError(f"{directory} holds no {_MODEL_FILE}")
    model = Model.from_dict(yaml.safe_load(files[_MODEL_FILE]))
    stored_format = model.flavors.get("sklearn", {}).get("serialization_format", "unknown")
    if stored_format != _FORMAT or _ESTIMATOR_FILE not in files:
        raise UntrustedModelError(
            f"{directory} is stored in the format {stored_format!r}, which can run code when it is loaded; "
            f"store it as {_FORMAT!r}"
        )
    return model


def _load_estimator(content: bytes, *, allowed: frozenset[str]) -> Any:
    import skops.io

    try:
        unknown = set(skops.io.get_untrusted_types(data=content)) - allowed
    except (BadZipFile, KeyError, ValueError) as error:
        raise UntrustedModelError(
            f"the stored estimator is no model in the format {_FORMAT!r}, whatever its name says: {error!r}"
        ) from error
    if unknown:
        raise UntrustedModelError(
            f"the stored model holds the types {', '.join(sorted(unknown))}, which are not trusted; "
            "declare them in the pipeline's trusted_types if they are yours"
        )
    return skops.io.loads(content, trusted=sorted(allowed))


def _check_estimator(estimator: Any, pipeline: Pipeline) -> None:
    kind = type(estimator).__name__
    needed = ["predict"]
    if pipeline.task is not Task.REGRESSION:
        needed += ["predict_proba", "classes_"]
    lacking = [name for name in needed if not hasattr(estimator, name)]
    if lacking:
        raise DeclarationError(
            f"pipeline {pipeline.name!r}: fit returned a {kind} without {', '.join(lacking)}; "
            f"{pipeline.task.value} needs {', '.join(needed)}"
        )
    if pipeline.task is Task.BINARY_CLASSIFICATION and len(estimator.classes_) != 2:
        raise DeclarationError(
            f"pipeline {pipeline.name!r}: the fitted {kind} knows {len(estimator.classes_)} classes; "
            f"{pipeline.task.value} needs 2"
        )


def _check_types(estimator: Any, pipeline: Pipeline) -> None:
    import skops.io

    held = set(skops.io.get_untrusted_types(data=skops.io.dumps(estimator)))
    unknown = held - TRUSTED_TYPES - pipeline.trusted_types
    if unknown:
        raise DeclarationError(
            f"pipeline {pipeline.name!r}: the fitted model holds the types {', '.join(sorted(unknown))}; "
            "add them to trusted_types if loading them is safe, or use scikit-learn's own"
        )


def _signature(features: Mapping[str, str], *, labels: Any) -> Any:
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema

    # Inferred from the rows, the inputs would change with the gaps that the rows happen to have.
    inputs = Schema([ColSpec(type=kind, name=name) for name, kind in features.items()])
    return ModelSignature(inputs=inputs, outputs=infer_signature(labels).inputs)
