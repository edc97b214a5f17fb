"""One changed bit anywhere in a stored model, and it is not loaded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import torch_models
import toy_models
from mlops_core.errors import UntrustedModelError
from mlops_core.models.directory import model_digest, read_directory, write_directory
from mlops_core.models.trust import TrustedCode
from mlops_core.training.rows import LabelledRows
from stored_examples import network, trees

_FLIPS_A_FORMAT = 500


@pytest.mark.parametrize(
    ("make", "pipeline"), [(trees, toy_models.BINARY), (lambda _: network(), torch_models.BINARY)]
)
def test_a_model_with_one_changed_bit_is_refused_wherever_it_is(
    tmp_path: Path, rows: LabelledRows, make: Callable[[LabelledRows], object], pipeline: toy_models.Pipeline
) -> None:
    directory = tmp_path / "model"
    write_directory(
        directory,
        estimator=make(rows),
        pipeline=pipeline,
        features=rows.types,
        input_example=rows.features.head(5),
    )
    digest, trusted = model_digest(directory), TrustedCode.declared_by(pipeline)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    chance = np.random.default_rng(20131101)
    refused, touched = 0, set()
    for _ in range(_FLIPS_A_FORMAT):
        path = files[chance.integers(len(files))]
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[chance.integers(len(whole))] ^= 1 << int(chance.integers(8))
        path.write_bytes(changed)
        try:
            read_directory(directory, digest=digest, trusted=trusted)
        except UntrustedModelError as error:
            refused += "they were changed after they were stored" in str(error)
        path.write_bytes(whole)
        touched.add(path)

    assert refused == _FLIPS_A_FORMAT
    assert touched == set(files)
    assert read_directory(directory, digest=digest, trusted=trusted).digest == digest
