"""How MLflow itself loads a stored network, in its own tools. Loaded this way, nothing is verified.

MLflow hands over a folder and no digest, so the files are believed whatever they say: which class is built,
and from which package. Use it for models of a server that you trust as you trust your code. The way that
verifies is ``mlops_core.models.stored.load_model``, by which the platform loads every model.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.models.loaded import LoadedModel


class _PyfuncNetwork:
    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:  # noqa: ARG002  MLflow passes it
        return self._model.predict(model_input).labels


def _load_pyfunc(data_path: str) -> _PyfuncNetwork:
    """Load the model whose folder ``data/network`` is given; MLflow calls it by this name.

    The digest is that of the files as they are: it is no check.
    """
    from mlops_core.models.directory import model_digest, read_directory
    from mlops_core.models.trust import AS_THE_FILES_SAY

    directory = Path(data_path).parents[1]
    return _PyfuncNetwork(read_directory(directory, digest=model_digest(directory), trusted=AS_THE_FILES_SAY))
