"""Estimators of scikit-learn as files: skops format.

skops rebuilds an estimator from a list of allowed types and runs no code from the file, where unpickling
would run whatever was put there.
"""

import importlib
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd

from mlops_core.errors import DeclarationError, UntrustedModelError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.canonical import canonical_estimator
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

FORMAT = "skops"

_IMPORTS_TORCH = "sklearn.externals.array_api_compat.torch"
_ESTIMATOR_FILE = "model.skops"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def write_estimator(
    directory: Path,
    *,
    estimator: Any,
    pipeline: Pipeline,
    signature: Any,
    input_example: pd.DataFrame,
    details: Mapping[str, Any],
) -> None:
    """Write a fitted estimator as an MLflow model.

    Raises
    ------
    DeclarationError
        If it holds types that are not declared as trusted.
    """
    import mlflow.sklearn

    _check_types(estimator, pipeline)
    mlflow.sklearn.save_model(
        estimator,
        str(directory),
        serialization_format=FORMAT,
        skops_trusted_types=sorted(TRUSTED_TYPES | pipeline.trusted_types),
        signature=signature,
        input_example=input_example,
        # Inferring them would start a process that imports everything again.
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in _REQUIREMENTS],
        metadata=dict(details),
    )
    stored = directory / _ESTIMATOR_FILE
    stored.write_bytes(canonical_estimator(stored.read_bytes()))


def read_estimator(files: Mapping[str, bytes], *, trusted_types: Iterable[str]) -> Any:
    """Rebuild an estimator from a model's files.

    Raises
    ------
    UntrustedModelError
        If the file is of another format, or holds types beyond ``TRUSTED_TYPES`` and those given.
    """
    skops_io = _import_skops()
    if _ESTIMATOR_FILE not in files:
        raise UntrustedModelError(f"the stored model lacks {_ESTIMATOR_FILE}, which holds its estimator")
    content, allowed = files[_ESTIMATOR_FILE], TRUSTED_TYPES.union(trusted_types)
    try:
        unknown = set(skops_io.get_untrusted_types(data=content)) - allowed
    except (BadZipFile, KeyError, ValueError) as error:
        raise UntrustedModelError(
            f"the stored estimator is no model in the format {FORMAT!r}, whatever its name says: {error!r}"
        ) from error
    if unknown:
        raise UntrustedModelError(
            f"the stored model holds the types {', '.join(sorted(unknown))}, which are not trusted; "
            "declare them in the pipeline's trusted_types if they are yours"
        )
    return skops_io.loads(content, trusted=sorted(allowed))


def check_estimator(estimator: Any, pipeline: Pipeline) -> None:
    """Require what the pipeline's task needs.

    Raises
    ------
    DeclarationError
        If the estimator lacks it.
    """
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
    skops_io = _import_skops()
    held = set(skops_io.get_untrusted_types(data=skops_io.dumps(estimator)))
    unknown = held - TRUSTED_TYPES - pipeline.trusted_types
    if unknown:
        raise DeclarationError(
            f"pipeline {pipeline.name!r}: the fitted model holds the types {', '.join(sorted(unknown))}; "
            "add them to trusted_types if loading them is safe, or use scikit-learn's own"
        )


def _import_skops() -> Any:
    """Import skops without torch.

    skops imports every module of scikit-learn, one of which imports torch where it is installed: two seconds
    and 200 MB of a process that asks no network. An entry of None makes that one module absent meanwhile.
    """
    absent = {} if {"skops.io", "torch"} & sys.modules.keys() else {_IMPORTS_TORCH: None}
    modules: dict[str, Any] = sys.modules
    modules.update(absent)
    try:
        return importlib.import_module("skops.io")
    finally:
        for name in absent:
            modules.pop(name, None)
