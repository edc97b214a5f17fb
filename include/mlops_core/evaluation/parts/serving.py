"""The challenger as it is served: loaded in a clean process, timed request by request, compared with here."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.errors import EvaluationError, RegistryUnavailableError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, Finding
from mlops_core.evaluation.sections import ServingSection, Skew
from mlops_core.evaluation.serving_trial import EXIT_UNAVAILABLE, TrialAnswer, TrialOrder
from mlops_core.models.frames import conform
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.records import answers_of, records_of
from mlops_core.models.trust import TrustedCode
from mlops_core.policies import ServingPolicy

_TIMEOUT_SECONDS = 300.0
_LAST_LINES = 5
_LONGEST_LINE = 200
_MODULE = "mlops_core.evaluation.serving_trial"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(examination: Examination) -> Finding:
    """Try the stored challenger in a process of its own.

    Raises
    ------
    EvaluationError
        If the policy is not declared, no row can be sent, or the process fails or hangs; with its last words.
        If the two processes answer the input example in other forms, or with a score that is not finite.
    RegistryUnavailableError
        If the process could not have the model because a service did not answer it.
    """
    policy = examination.pipeline.evaluation.serving
    if policy is None:
        raise EvaluationError("evaluation.serving is not declared")
    model = examination.challenger.model
    frame = _sendable(conform(examination.rows.features, model.features))
    with tempfile.TemporaryDirectory(prefix="mlops-trial-") as folder:
        order = TrialOrder(
            model=examination.challenger.record,
            trusted=TrustedCode.declared_by(examination.pipeline),
            tracking_uri=examination.tracking_uri,
            folder=str(Path(folder) / "models"),
            requests=_requests(frame, policy=policy, seed=examination.pipeline.seed, model=model),
        )
        answer = _run(order, folder=Path(folder))
    p50, p95, p99 = np.quantile(answer.milliseconds, (0.5, 0.95, 0.99)).tolist()
    document = ServingSection(
        requests=len(answer.milliseconds),
        rows_a_request=policy.rows_a_request,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        load_seconds=answer.load_seconds,
        peak_memory_mb=answer.peak_memory_bytes / 10**6,
        size_bytes=answer.size_bytes,
        skew=_skew(model, answer),
    )
    return Finding(document=document)


def _sendable(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows with infinite values: JSON has no word for them, and the server refuses them."""
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(dtype=np.float64)).any(axis=1)
    finite: pd.DataFrame = frame.loc[~infinite]
    if finite.empty:
        raise EvaluationError(f"none of the {len(frame)} held-out rows can be sent: all hold infinite values")
    return finite


def _requests(
    frame: pd.DataFrame, *, policy: ServingPolicy, seed: int, model: LoadedModel
) -> tuple[tuple[dict[str, Any], ...], ...]:
    """Draw rows, without repeating one while there are others."""
    size, wanted = policy.rows_a_request, policy.requests * policy.rows_a_request
    order = np.random.default_rng(seed).permutation(len(frame))
    records = records_of(frame.iloc[np.resize(order, wanted)], model.features)
    return tuple(tuple(records[first : first + size]) for first in range(0, wanted, size))


def _run(order: TrialOrder, *, folder: Path) -> TrialAnswer:
    asked, answered, said = folder / "order.json", folder / "answer.json", folder / "stderr.txt"
    asked.write_text(order.model_dump_json())
    with said.open("wb") as errors:
        try:
            ended = subprocess.run(  # noqa: S603  our own interpreter, module and files
                [sys.executable, "-P", "-m", _MODULE, str(asked), str(answered)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EvaluationError(
                f"the model, loaded in a clean process, did not answer {len(order.requests)} requests within"
                f" {_TIMEOUT_SECONDS:g} s{_last_words(said)}"
            ) from error
    if ended.returncode == EXIT_UNAVAILABLE:
        raise RegistryUnavailableError(
            f"a service did not answer the clean process that loads the model{_last_words(said)}"
        )
    if ended.returncode != 0 or not answered.exists():
        how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
        raise EvaluationError(
            f"the model cannot be served from a clean process: it ended with {how}{_last_words(said)}"
        )
    return TrialAnswer.model_validate_json(answered.read_bytes())


def _environment() -> dict[str, str]:
    # The same packages as here, in a process that has imported none of them yet.
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_ONE_THREAD, "1")}


def _last_words(said: Path) -> str:
    lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
    shown = " | ".join(line[:_LONGEST_LINE] for line in lines[-_LAST_LINES:])
    return f"; it said last: {shown}" if shown else ""


def _skew(model: LoadedModel, answer: TrialAnswer) -> Skew:
    here = answers_of(model.predict(model.input_example), model)
    if len(here) != len(answer.example):
        raise EvaluationError(
            f"the clean process answered {len(answer.example)} rows of the input example, not {len(here)}"
        )
    pairs = list(zip(here, answer.example, strict=True))
    for one, other in pairs:
        _check_same_names(one, other)
    differing = 0 if model.task is Task.REGRESSION else sum(a["label"] != b["label"] for a, b in pairs)
    # NumPy's maximum, because Python's passes over NaN.
    largest = float(np.max([_distance(a["score"], b["score"]) for a, b in pairs], initial=0.0))
    if not np.isfinite(largest):
        raise EvaluationError(
            f"scores of the input example differ by {largest} from those of the clean process; a model must"
            " give every row a finite score"
        )
    return Skew(rows=len(pairs), largest_difference=largest, differing_labels=differing)


def _check_same_names(here: Any, there: Any) -> None:
    if not isinstance(here, dict) and not isinstance(there, dict):
        return
    ours, theirs = (sorted(one) if isinstance(one, dict) else type(one).__name__ for one in (here, there))
    if ours != theirs:
        raise EvaluationError(f"the clean process answers the input example with {theirs}, not {ours}")
    for name, value in here.items():
        _check_same_names(value, there[name])


def _distance(here: Any, there: Any) -> float:
    if isinstance(here, dict):
        return float(np.max([_distance(score, there[name]) for name, score in here.items()]))
    # JSON has no word for NaN and may say null.
    return abs(float("nan" if here is None else here) - float("nan" if there is None else there))
