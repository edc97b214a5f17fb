"""The process in which a stored model is tried as it is served: ``python -m`` this, an order and an answer.

It loads the model as the model server does, and answers requests on the server's own path but the network:
a body of JSON in, checked records, a frame, a prediction, a body of JSON out.
"""

import json
import logging
import sys
import time
from pathlib import Path

import psutil
from pydantic import JsonValue
from pydantic_core import to_json

from mlops_core.document import Document
from mlops_core.errors import ServiceUnavailableError
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.models.records import RecordsSchema, answers_of, records_of
from mlops_core.models.stored import load_model
from mlops_core.models.trust import TrustedCode

EXIT_UNAVAILABLE = 75
"""How the process ends where something outside did not answer, so that trying again may help: EX_TEMPFAIL."""

_WARM_UPS = 10

log = logging.getLogger(__name__)


class TrialOrder(Document):
    """What is asked of the process; each request is a list of records, sent in turn.

    The model is not signed yet: what it may be built from is part of the order.
    """

    model: ModelRecord
    trusted: TrustedCode
    tracking_uri: str
    folder: str
    requests: tuple[tuple[dict[str, JsonValue], ...], ...]


class TrialAnswer(Document):
    """What the process found: times, sizes, and what the model answers to its own input example."""

    milliseconds: tuple[float, ...]
    load_seconds: float
    peak_memory_bytes: int
    size_bytes: int
    example: tuple[dict[str, JsonValue], ...]


def run_trial(order: TrialOrder) -> TrialAnswer:
    """Load the model and answer every request, one after the other."""
    folder = Path(order.folder)
    started = time.perf_counter()
    model = load_model(order.model, tracking_uri=order.tracking_uri, trusted=order.trusted, cache=folder)
    load_seconds = time.perf_counter() - started
    bodies = [to_json({"records": list(records)}) for records in order.requests]
    schema = RecordsSchema(model.features, max_records=max(map(len, order.requests), default=1))
    example = _answer_example(model)
    for body in bodies[:_WARM_UPS]:
        _answer(body, model=model, schema=schema)
    milliseconds = []
    for body in bodies:
        started = time.perf_counter()
        _answer(body, model=model, schema=schema)
        milliseconds.append(1000 * (time.perf_counter() - started))
    return TrialAnswer(
        milliseconds=tuple(milliseconds),
        load_seconds=load_seconds,
        peak_memory_bytes=_peak_memory_bytes(),
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        example=example,
    )


def _answer(body: bytes, *, model: LoadedModel, schema: RecordsSchema) -> bytes:
    return to_json({"predictions": answers_of(model.predict(schema.parse(body)), model)})


def _answer_example(model: LoadedModel) -> tuple[dict[str, JsonValue], ...]:
    example = model.input_example
    schema = RecordsSchema(model.features, max_records=len(example))
    body = to_json({"records": records_of(example, model.features)})
    answered: list[dict[str, JsonValue]] = json.loads(_answer(body, model=model, schema=schema))[
        "predictions"
    ]
    return tuple(answered)


def _peak_memory_bytes() -> int:
    """Return the most memory this process held; where the system does not keep it, what it holds now."""
    # Not ru_maxrss, which counts what the starting process held before this one began.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return int(psutil.Process().memory_info().rss)


def main(order: str, answer: str) -> None:
    """Read the order's file and write the answer's; a service that does not answer has its own exit code."""
    try:
        found = run_trial(TrialOrder.model_validate_json(Path(order).read_bytes()))
    except ServiceUnavailableError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(EXIT_UNAVAILABLE)
    Path(answer).write_text(found.model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
