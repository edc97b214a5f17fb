"""One fit is one file: no times, no addresses, no order that a process has salted."""

import io
import json
import os
import subprocess
import sys
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from skops import io as skops_io

from mlops_core.models.canonical import canonical_estimator
from mlops_core.models.skops_format import TRUSTED_TYPES

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["a", "b", "c"])
TARGET = ROWS["a"] + ROWS["b"] ** 2 > 0.5

_IN_A_PROCESS = """
import io, sys
from skops import io as skops_io
from mlops_core.models.canonical import canonical_estimator
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler()
scaler.seen_ = {("a", 1), ("b", 2), ("c", 3), "four", "five", "six", b"seven"}
sys.stdout.buffer.write(canonical_estimator(skops_io.dumps(scaler)))
"""


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(n_estimators=5, random_state=0),
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        HistGradientBoostingClassifier(max_iter=3, random_state=0),
        CalibratedClassifierCV(GaussianNB(), cv=2),
        KNeighborsClassifier(),
        MLPClassifier((3,), max_iter=3, random_state=0),
        SVC(random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_two_fits_are_one_file_that_still_loads(estimator: Any) -> None:
    first, second = (
        canonical_estimator(skops_io.dumps(clone(estimator).fit(ROWS, TARGET))) for _ in range(2)
    )

    assert first == second
    loaded = skops_io.loads(first, trusted=sorted(TRUSTED_TYPES))
    np.testing.assert_array_equal(loaded.predict(ROWS), estimator.fit(ROWS, TARGET).predict(ROWS))


def test_what_is_canonical_stays_as_it_is() -> None:
    once = canonical_estimator(skops_io.dumps(LogisticRegression().fit(ROWS, TARGET)))

    assert canonical_estimator(once) == once


def test_another_value_is_another_file() -> None:
    fitted = LogisticRegression().fit(ROWS, TARGET)
    first = canonical_estimator(skops_io.dumps(fitted))
    fitted.coef_[0, 0] = np.nextafter(fitted.coef_[0, 0], 1)

    assert canonical_estimator(skops_io.dumps(fitted)) != first


def test_neither_times_nor_addresses_are_left() -> None:
    content = canonical_estimator(skops_io.dumps(RandomForestClassifier(n_estimators=2).fit(ROWS, TARGET)))

    with ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert max(len(name) for name in archive.namelist() if name != "schema.json") < 10
        assert max(_identities(json.loads(archive.read("schema.json")))) < 1000


def test_arrays_that_are_one_object_stay_one() -> None:
    shared = np.arange(3.0)
    fitted = StandardScaler()
    fitted.mean_, fitted.scale_ = shared, shared

    loaded = skops_io.loads(canonical_estimator(skops_io.dumps(fitted)))

    assert loaded.mean_ is loaded.scale_


@pytest.mark.slow
def test_sets_do_not_depend_on_the_hash_seed_of_their_process() -> None:
    contents = [
        subprocess.run(
            [sys.executable, "-c", _IN_A_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert contents[0] == contents[1]
    loaded = skops_io.loads(contents[0])
    assert loaded.seen_ == {("a", 1), ("b", 2), ("c", 3), "four", "five", "six", b"seven"}


def test_a_column_or_setting_that_is_called_like_a_field_of_skops_is_kept() -> None:
    fitted = CountVectorizer()
    fitted.vocabulary_ = {"file": 0, "__id__": 1, "content": 2}

    loaded = skops_io.loads(canonical_estimator(skops_io.dumps(fitted)))

    assert loaded.vocabulary_ == {"file": 0, "__id__": 1, "content": 2}


def test_sparse_matrices_come_back() -> None:
    fitted = StandardScaler()
    fitted.matrix_ = sparse.csr_matrix(np.eye(3))

    content = canonical_estimator(skops_io.dumps(fitted))

    loaded = skops_io.loads(content, trusted=["scipy.sparse._csr.csr_matrix"])
    assert (loaded.matrix_ != fitted.matrix_).nnz == 0


def _identities(node: Any) -> list[int]:
    if isinstance(node, list):
        return [number for child in node for number in _identities(child)]
    if not isinstance(node, dict):
        return []
    own = [node["__id__"]] if isinstance(node.get("__id__"), int) else []
    return own + [number for child in node.values() for number in _identities(child)]
