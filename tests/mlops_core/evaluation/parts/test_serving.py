import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toy_models
from evaluation_examples import planted_model
from examination_examples import by_column, examination, pipeline, planted, publish
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, EvaluationError, RegistryUnavailableError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination
from mlops_core.evaluation.parts import serving
from mlops_core.evaluation.parts.serving import measure
from mlops_core.evaluation.sections import ServingSection
from mlops_core.evaluation.serving_trial import TrialAnswer, TrialOrder
from mlops_core.models.loaded import Predictions
from mlops_core.models.stored import load_model, log_model
from mlops_core.models.trust import TrustedCode
from mlops_core.pipeline import EvaluationPolicy, ServingPolicy
from mlops_core.tracking import adopt_or_create_run, tracking_client
from mlops_core.training.rows import labelled_rows

EXAMPLE = pd.DataFrame({"signal": [0.0, 1.0, -1.0]})


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    store = SnapshotStore(str(tmp_path / "data"))
    signal = np.random.default_rng(0).normal(size=50)
    signal[7] = np.inf
    rows = {"signal": signal, "late": signal > 0}
    publish(store, {"2013-01": rows, "2013-02": rows})
    return store


def examined(store: SnapshotStore, **policy: Any) -> Examination:
    declared = pipeline(EvaluationPolicy(serving=ServingPolicy(**policy)))
    found = examination(declared, planted(by_column("signal"), features={"signal": "double"}), store=store)
    object.__setattr__(found.challenger.model, "input_example", EXAMPLE)
    return found


def answer_of(order: TrialOrder, *, moved: float = 0.0, labels: bool | None = None) -> TrialAnswer:
    """What an honest trial answers, or one whose first score is moved."""
    scores = 1 / (1 + np.exp(-EXAMPLE["signal"].to_numpy()))
    scores[0] += moved
    return TrialAnswer(
        milliseconds=tuple(float(number) for number in range(1, len(order.requests) + 1)),
        load_seconds=2.0,
        peak_memory_bytes=300_000_000,
        size_bytes=1500,
        example=tuple(
            {"score": score, "label": bool(score >= 0.5) if labels is None else labels}
            for score in scores.tolist()
        ),
    )


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Take the process's place: what was ordered, and how its answer lies."""
    said: dict[str, Any] = {}

    def run(order: TrialOrder, *, folder: Path) -> TrialAnswer:
        assert folder.is_dir()
        said["order"] = order
        return answer_of(order, **said.get("lie", {}))

    monkeypatch.setattr(serving, "_run", run)
    return said


def test_quantiles_and_sizes_are_those_of_the_process(store: SnapshotStore, trial: dict[str, Any]) -> None:
    section = measure(examined(store, requests=101)).document

    assert isinstance(section, ServingSection)
    assert (section.p50_ms, section.p95_ms, section.p99_ms) == (51.0, 96.0, 100.0)
    assert (section.requests, section.rows_a_request) == (101, 1)
    assert (section.load_seconds, section.peak_memory_mb, section.size_bytes) == (2.0, 300.0, 1500)
    assert section.skew.model_dump() == {"rows": 3, "largest_difference": 0.0, "differing_labels": 0}
    assert trial["order"].tracking_uri == "http://mlflow"


def test_the_order_says_what_the_model_may_be_built_from(store: SnapshotStore, trial: dict[str, Any]) -> None:
    found = examined(store)
    declared = found.pipeline.model_copy(update={"trusted_types": frozenset({"own.Type"})})
    object.__setattr__(found, "pipeline", declared)

    measure(found)

    assert trial["order"].trusted == TrustedCode.declared_by(declared)
    assert trial["order"].trusted.trusted_types == {"own.Type"}


def test_requests_are_held_out_rows_each_once_before_any_twice(
    store: SnapshotStore, trial: dict[str, Any]
) -> None:
    found = examined(store, requests=20, rows_a_request=7)

    measure(found)

    sent = [record["signal"] for request in trial["order"].requests for record in request]
    finite = found.rows.features["signal"][np.isfinite(found.rows.features["signal"])].tolist()
    assert [len(request) for request in trial["order"].requests] == [7] * 20
    # The infinite value has no word in JSON.
    assert len(finite) == 49
    assert sorted(sent[:49]) == sorted(finite)
    assert sent[49:98] == sent[:49]
    assert sent[:49] != finite


def test_the_largest_difference_and_the_labels_of_the_two_processes_are_compared(
    store: SnapshotStore, trial: dict[str, Any]
) -> None:
    trial["lie"] = {"moved": 0.125, "labels": True}

    skew = measure(examined(store)).document.skew

    assert skew.model_dump() == {"rows": 3, "largest_difference": 0.125, "differing_labels": 1}


def test_a_multiclass_score_differs_by_its_most_different_probability() -> None:
    scores = np.array([[0.5, 0.25, 0.25]])
    model = planted_model(
        lambda frame: Predictions(scores=scores, labels=np.array(["a"])),  # noqa: ARG005  it looks at no row
        task=Task.MULTICLASS_CLASSIFICATION,
        classes=("a", "b", "c"),
    )
    there = {"score": {"a": 0.375, "b": 0.375, "c": 0.25}, "label": "b"}
    answer = TrialAnswer(
        milliseconds=(1.0,), load_seconds=1.0, peak_memory_bytes=1, size_bytes=1, example=(there,)
    )

    skew = serving._skew(model, answer)

    assert skew.model_dump() == {"rows": 1, "largest_difference": 0.125, "differing_labels": 1}


def test_an_answer_of_fewer_rows_is_an_error() -> None:
    model = planted_model(lambda frame: Predictions(scores=np.ones(2), labels=np.ones(2)))  # noqa: ARG005
    answer = TrialAnswer(milliseconds=(1.0,), load_seconds=1.0, peak_memory_bytes=1, size_bytes=1, example=())

    with pytest.raises(EvaluationError, match="answered 0 rows of the input example, not 2"):
        serving._skew(model, answer)


def answered(*example: Any) -> TrialAnswer:
    return TrialAnswer(
        milliseconds=(1.0,), load_seconds=1.0, peak_memory_bytes=1, size_bytes=1, example=example
    )


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(("here", "there"), [(math.nan, 0.0), (0.0, None)], ids=["here", "there"])
def test_a_score_that_is_no_number_is_an_error_wherever_it_stands(
    place: int, here: float, there: float | None
) -> None:
    scores = np.where(np.arange(2) == place, here, 0.0)
    model = planted_model(lambda frame: Predictions(scores=scores, labels=np.zeros(2)))  # noqa: ARG005
    rows: list[dict[str, Any]] = [{"score": 0.0, "label": 0}, {"score": 0.0, "label": 0}]
    rows[place]["score"] = there

    with pytest.raises(EvaluationError, match="scores of the input example differ by nan"):
        serving._skew(model, answered(*rows))


def test_a_probability_that_is_no_number_is_an_error() -> None:
    model = planted_model(
        lambda frame: Predictions(scores=np.array([[0.5, math.nan]]), labels=np.array(["a"])),  # noqa: ARG005
        task=Task.MULTICLASS_CLASSIFICATION,
        classes=("a", "b"),
    )

    with pytest.raises(EvaluationError, match="scores of the input example differ by nan"):
        serving._skew(model, answered({"score": {"a": 0.5, "b": 0.5}, "label": "a"}))


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            {"score": {"a": 0.5, "b": 0.5, "c": 0.0}, "label": "a"},
            r"with \['a', 'b', 'c'\], not \['a', 'b'\]",
        ),
        ({"score": {"a": 0.5}, "label": "a"}, r"with \['a'\], not"),
        ({"score": 0.5, "label": "a"}, r"with float, not \['a', 'b'\]"),
        ({"score": {"a": 0.5, "b": 0.5}}, r"with \['score'\], not \['label', 'score'\]"),
    ],
    ids=["another class", "a class less", "no classes", "no label"],
)
def test_an_answer_of_other_names_is_an_error(there: Any, words: str) -> None:
    model = planted_model(
        lambda frame: Predictions(scores=np.array([[0.5, 0.5]]), labels=np.array(["a"])),  # noqa: ARG005
        task=Task.MULTICLASS_CLASSIFICATION,
        classes=("a", "b"),
    )

    with pytest.raises(EvaluationError, match=words):
        serving._skew(model, answered(there))


def test_rows_that_cannot_be_sent_are_an_error(tmp_path: Path) -> None:
    store = SnapshotStore(str(tmp_path))
    rows = {"signal": [1.0, 2.0], "late": [True, False]}
    publish(store, {"2013-01": rows, "2013-02": {**rows, "signal": [np.inf, -np.inf]}})

    with pytest.raises(EvaluationError, match="none of the 2 held-out rows can be sent"):
        measure(examined(store))


def process(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another module in the trial's place, which a process of its own runs."""
    (folder / "odd_trial.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(serving, "_MODULE", "odd_trial")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import sys\nprint('x' * 10**6, file=sys.stderr)\nraise MemoryError('no room for weights')",
            r"it ended with exit code 1; it said last: .*MemoryError: no room for weights$",
        ),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            r"it ended with signal 11$",
        ),
        ("print('done')", r"it ended with exit code 0$"),
    ],
    ids=["raises", "crashes", "answers nothing"],
)
def test_a_process_that_does_not_answer_is_an_error_with_its_last_words(
    store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    process(tmp_path, source, monkeypatch)

    with pytest.raises(EvaluationError, match=reason):
        measure(examined(store))


def test_a_service_that_does_not_answer_the_process_is_no_refusal(
    store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "import sys\n"
        "from mlops_core.errors import RegistryUnavailableError\n"
        "from mlops_core.evaluation import serving_trial\n"
        "def load(*_, **__): raise RegistryUnavailableError('MLflow did not answer')\n"
        "serving_trial.load_model = load\n"
        "serving_trial.main(*sys.argv[1:])"
    )
    process(tmp_path, source, monkeypatch)

    with pytest.raises(RegistryUnavailableError, match=r"clean process .*: MLflow did not answer$"):
        measure(examined(store))


def test_a_process_that_hangs_is_ended_and_its_last_words_are_told(
    store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import sys, threading\nprint('loading', file=sys.stderr, flush=True)\nthreading.Event().wait()"
    process(tmp_path, source, monkeypatch)
    monkeypatch.setattr(serving, "_TIMEOUT_SECONDS", 0.5)

    with pytest.raises(EvaluationError, match=r"did not answer 200 requests within 0.5 s"):
        measure(examined(store))


def test_the_process_is_clean_and_has_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "import json, os, pathlib, sys\n"
        "names = {'pandas', 'sklearn', 'toy_models'}\n"
        "facts = [os.environ['OMP_NUM_THREADS'], sorted(names & set(sys.modules))]\n"
        "sys.exit(json.dumps(facts))"
    )
    process(tmp_path, source, monkeypatch)
    order = TrialOrder(model=_record(), trusted=TrustedCode(), tracking_uri="", folder="", requests=())

    with pytest.raises(EvaluationError, match=r'it said last: \["1", \[\]\]$'):
        serving._run(order, folder=tmp_path)


def _record() -> Any:
    return {"run_id": "r", "model_id": "m-1", "uri": "models:/m-1", "digest": "ab" * 32}


@pytest.mark.integration
def test_a_stored_model_is_served_from_a_clean_process_as_it_is_here(
    tmp_path: Path, local_tracking_uri: str
) -> None:
    declared = toy_models.BINARY.model_copy(
        update={"evaluation": EvaluationPolicy(serving=ServingPolicy(requests=30))}
    )
    store = SnapshotStore(str(tmp_path / "data"))
    for partition in toy_models.PARTITIONS:
        store.write_partition(declared.name, partition, toy_models.load(partition))
    client = tracking_client(local_tracking_uri)
    run_id = adopt_or_create_run(
        client, experiment="serving", operation_key="serving", run_name="toy", tags={}
    )
    rows = labelled_rows(toy_models.load("2013-01"), pipeline=declared)
    record = log_model(
        client,
        run_id=run_id,
        estimator=toy_models.fit_trees(rows.features, rows.target, seed=1),
        pipeline=declared,
        input_example=rows.features.head(5),
        features=rows.types,
    )
    trusted = TrustedCode.declared_by(declared)
    model = load_model(record, tracking_uri=local_tracking_uri, trusted=trusted)
    found = examination(declared, model, store=store, record=record, tracking_uri=local_tracking_uri)

    section = measure(found).document

    assert isinstance(section, ServingSection)
    assert section.skew.model_dump() == {"rows": 5, "largest_difference": 0.0, "differing_labels": 0}
    assert 0 < section.p50_ms <= section.p95_ms <= section.p99_ms < 60_000
    assert section.requests == 30
    assert section.size_bytes > 1000
    assert section.peak_memory_mb > 50
    assert "sklearn" in sys.modules


def test_more_rows_than_a_trial_can_hold_are_refused_where_they_are_declared() -> None:
    with pytest.raises(DeclarationError, match="at most 1,000,000"):
        ServingPolicy(requests=10_000, rows_a_request=101)
