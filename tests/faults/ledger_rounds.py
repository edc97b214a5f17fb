"""Registrations and promotions that are killed at random moments, and what must be true all the same."""

import contextlib
import importlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from faults.forked import kill_after, perform
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.record import ModelRecord
from mlops_core.registry import promotion
from mlops_core.registry.aliases import wanted
from mlops_core.registry.audit import verify
from mlops_core.registry.database import Database
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.mirror import aliases_shown, reconcile
from mlops_core.registry.mlflow_versions import search_versions
from mlops_core.registry.register import register
from mlops_core.tracking import OPERATION_KEY_TAG, tracking_client
from registry_examples import passed_report, stored_model

MODELS = ("one", "two", "three", "four")
_FIRST_GUESS_S = 0.2
_TRIES = 4


@dataclass
class Tally:
    """What was counted on the way; ``left`` is what killed processes had made by then."""

    kills: int = 0
    commits: int = 0
    versions: int = 0
    reconciled: int = 0
    healed: int = 0
    left: Counter[str] = field(default_factory=Counter)


class Rounds:
    """Rounds of one version each: registered, approved, promoted and deployed, killed on the way.

    All effects happen in forked processes: this one opens neither the ledger nor a connection to MLflow.
    """

    def __init__(self, *, ledger_url: str, tracking_uri: str, seed: int) -> None:
        self.tally = Tally()
        self._places = (ledger_url, tracking_uri)
        self._random = random.Random(seed)  # noqa: S311  which moment is no secret
        self._seconds = {"register": _FIRST_GUESS_S, "promote": _FIRST_GUESS_S}
        made = perform(lambda: [stored_model(tracking_client(tracking_uri)).model_dump() for _ in MODELS])
        self._stored = dict(zip(MODELS, map(ModelRecord.model_validate, made), strict=True))
        # What a round imports late is imported here, once and not in every process.
        for name in perform(lambda: _rehearse(*self._places, self._stored[MODELS[0]])):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    def play(self, kills: int) -> Iterator[Tally]:
        """Play rounds until so many processes were killed at work; yield the tally after each."""
        number = 0
        while self.tally.kills < kills:
            self._round(MODELS[number % len(MODELS)], number)
            number += 1
            self.tally.versions = number
            yield self.tally

    def _round(self, model: str, number: int) -> None:
        ledger_url, tracking_uri = self._places
        generation = perform(lambda: Ledger(ledger_url).state(model).generation)
        report = passed_report(self._stored[model], pipeline=model, generation=generation, risk="high")
        common = {"tracking_uri": tracking_uri, "actor": "train"}
        key = f"{model}/{number}"

        def registered() -> dict[str, Any]:
            record = register(report, ledger=Ledger(ledger_url), operation_key=f"{key}/register", **common)
            return record.model_dump(mode="json")

        self._kill("register", registered, model=model, key=f"{key}/register")
        record = VersionRecord.model_validate(self._complete("register", registered))
        self._complete("approve", lambda: _approve(ledger_url, record, report, key=f"{key}/approve"))

        def promoted() -> int:
            return promotion.promote(
                record,
                report=report,
                operation_key=f"{key}/promote",
                reason="round",
                ledger=Ledger(ledger_url),
                approval_key=f"{key}/approve",
                **common,
            ).generation

        left = self._kill("promote", promoted, model=model, key=f"{key}/promote")
        if "ledger" in left and self._random.random() < 0.5:
            # Nobody tries again: what is in production is so, and the hourly task heals the mirror.
            self.tally.reconciled += 1
            self.tally.healed += bool(self._complete("reconcile", lambda: _reconcile(*self._places, model)))
        else:
            self._complete("promote", promoted)
        self._complete("deploy", lambda: _deploy(ledger_url, record, generation + 1, key=f"{key}/deploy"))

    def _kill(self, step: str, act: Any, *, model: str, key: str) -> str:
        """Kill the step once while it is at work; return what it left behind."""
        for _ in range(_TRIES):
            if kill_after(act, seconds=self._random.uniform(0, self._seconds[step])):
                self.tally.kills += 1
                left: str = perform(lambda: _left(*self._places, model, key))
                self.tally.left[f"{step}: {left}"] += 1
                return left
        return "ended"

    def _complete(self, step: str, act: Any) -> Any:
        began = time.monotonic()
        result, commits = perform(lambda: _counting_commits(act))
        if step in self._seconds:
            # The next kill comes at any moment of what the last one took.
            self._seconds[step] = time.monotonic() - began
        self.tally.commits += commits
        return result

    def problems(self) -> tuple[str, ...]:
        """Return what is not as it must be, in words, once the mirror was reconciled."""
        return tuple(perform(lambda: _problems(*self._places)))


def _rehearse(ledger_url: str, tracking_uri: str, stored: ModelRecord) -> list[str]:
    """Play one round undisturbed and return the modules that it has imported."""
    ledger, report = Ledger(ledger_url), passed_report(stored, pipeline="rehearsal")
    common = {"ledger": ledger, "tracking_uri": tracking_uri, "actor": "train"}
    record = register(report, operation_key="rehearsal/register", **common)
    promotion.promote(record, report=report, operation_key="rehearsal/promote", reason="", **common)
    _reconcile(ledger_url, tracking_uri, "rehearsal")
    return sorted(name for name in sys.modules if name != "__main__")


def _counting_commits(act: Any) -> tuple[Any, int]:
    commits = 0
    write = Database.write

    def counted(self: Database, work: Any) -> Any:
        nonlocal commits
        result = write(self, work)
        commits += 1
        return result

    Database.write = counted  # type: ignore[method-assign]
    return act(), commits


def _approve(ledger_url: str, record: VersionRecord, report: EvaluationReport, *, key: str) -> str:
    return (
        Ledger(ledger_url)
        .approve(
            record.model,
            version=record.version,
            expected_generation=report.generation,
            evidence_digest=report.digest(),
            actor="grace",
            reason="looked at the slices",
            operation_key=key,
        )
        .verdict
    )


def _deploy(ledger_url: str, record: VersionRecord, generation: int, *, key: str) -> int:
    ledger = Ledger(ledger_url)
    ledger.record_training(
        record.model,
        snapshot_digest="s",
        partitions=["p"],
        operation_key=f"{key}/training",
        requested_by="ada",
    )
    return ledger.deploy(
        record.model,
        version=record.version,
        expected_generation=generation,
        operation_key=key,
        actor="ada",
    ).revision


def _reconcile(ledger_url: str, tracking_uri: str, model: str) -> list[str]:
    report = reconcile(ledger=Ledger(ledger_url), client=tracking_client(tracking_uri), models=[model])
    return [f"{change.alias} {change.found}->{change.expected}" for change in report.changes]


def _left(ledger_url: str, tracking_uri: str, model: str, key: str) -> str:
    """Return how far a killed process had come."""
    ledger, client = Ledger(ledger_url), tracking_client(tracking_uri)
    known = {event.operation_key for event in ledger.events(model)}
    made = key in known or bool(search_versions(client, model, operation_key=key))
    places = [*(["ledger"] if key in known else []), *(["mirror"] if _mirrored(ledger, model) else [])]
    if key in known:
        return " and ".join(places)
    return "MLflow alone" if made else "nothing"


def _mirrored(ledger: Ledger, model: str) -> bool:
    return model in ledger.models() and ledger.is_mirrored(model)


def _problems(ledger_url: str, tracking_uri: str) -> list[str]:
    ledger, client = Ledger(ledger_url), tracking_client(tracking_uri)
    found = [f"audit: {f.model} {f.sequence} {f.problem}" for f in verify(ledger).findings]
    reconcile(ledger=ledger, client=client)
    if not reconcile(ledger=ledger, client=client).agreed:
        found.append("MLflow and the ledger differ after they were reconciled")
    for model in ledger.models():
        records, history = ledger.versions(model), ledger.history(model)
        versions = search_versions(client, model)
        keys = [version.tags.get(OPERATION_KEY_TAG) for version in versions.values()]
        if len(set(keys)) != len(keys) or set(versions) != {record.version for record in records}:
            found.append(f"{model}: {len(versions)} versions in MLflow, {len(records)} in the ledger")
        if [past.generation for past in history] != list(range(1, len(records) + 1)):
            found.append(f"{model}: {len(history)} transitions of {len(records)} versions")
        if [past.version for past in history] != [record.version for record in records]:
            found.append(f"{model}: the versions were promoted in another order, or twice")
        if aliases_shown(client, model) != wanted(ledger.state(model)):
            found.append(f"{model}: the aliases are {aliases_shown(client, model)}")
    return found
