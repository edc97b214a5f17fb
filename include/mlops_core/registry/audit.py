"""Whether the ledger was changed by anything but the ledger.

Three things must agree: each event with the hash that seals it and the one before it, each row with the one
event that was written with it, and the transitions with the stack that they describe. Whoever can write the
database could make all of them anew, or cut off the end of everything; that is found by comparing with an
anchor, which is a hash that was noted elsewhere.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import index
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.document import Document
from mlops_core.registry import chain, events
from mlops_core.registry.events import Said
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import LedgerEvent
from mlops_core.registry.schema import (
    ApprovalRow,
    DeploymentRow,
    EventRow,
    ModelRow,
    RetirementRow,
    TransitionRow,
    VersionRow,
)

Anchor = tuple[int, str]
"""A sequence and its event's hash, as an earlier report named them."""


class AuditFinding(Document):
    """One thing that cannot be true; ``sequence`` is of the event, None where there is none."""

    model: str
    sequence: int | None
    problem: str


class AuditReport(Document):
    """What an audit looked at, and what it found. ``heads`` are the anchors to keep elsewhere."""

    models: tuple[str, ...]
    events: int
    heads: dict[str, Anchor]
    findings: tuple[AuditFinding, ...]

    @property
    def sound(self) -> bool:
        """Whether there were events to look at, and nothing was found."""
        return self.events > 0 and not self.findings


def verify(
    ledger: Ledger,
    *,
    anchors: Mapping[str, Anchor] | None = None,
    noted: Mapping[str, Anchor] | None = None,
) -> AuditReport:
    """Look for events and rows that were changed, removed or added outside the ledger.

    Parameters
    ----------
    anchors
        By model, from the ``heads`` of an earlier report that was kept where the ledger's database cannot be
        written from. Without these and the next, an end that was cut off everywhere goes unseen.
    noted
        By model, from ``anchors.noted_heads``.

    Raises
    ------
    LedgerUnavailableError
        If the ledger does not answer, or is not there: none is made to be looked at.
    """
    ledger.require_present()
    kept = defaultdict[str, set[Anchor]](set)
    for model, anchor in (*(anchors or {}).items(), *(noted or {}).items()):
        kept[model].add(anchor)
    findings: list[AuditFinding] = []
    heads: dict[str, Anchor] = {}
    count = 0
    with ledger.reading() as session:
        models = tuple(sorted({*_models(session), *kept}))
        for model in models:
            try:
                trail = events.events(session, model)
                count += len(trail)
                if trail:
                    heads[model] = (index(trail[-1].sequence), trail[-1].hash)
                for sequence, problem in _problems(session, trail, model=model, kept=kept[model]):
                    findings.append(AuditFinding(model=model, sequence=sequence, problem=problem))
            except _UNREADABLE as error:
                problem = f"a row holds what the ledger never wrote, so the rest was not looked at: {error}"
                findings.append(AuditFinding(model=model, sequence=None, problem=problem))
    return AuditReport(models=models, events=count, heads=heads, findings=tuple(findings))


Problem = tuple[int | None, str]

_UNREADABLE = (ValueError, TypeError, AttributeError)
"""What values raise that are of no column's type; SQLite keeps them all the same."""


def _problems(
    session: Session, trail: Sequence[LedgerEvent], *, model: str, kept: Collection[Anchor]
) -> Iterator[Problem]:
    yield from _chain_problems(trail, model=model)
    for anchor in sorted(kept):
        yield from _anchor_problems(trail, anchor)
    yield from _row_problems(session, trail, model=model)
    yield from _stack_problems(session, trail, model=model)


def _models(session: Session) -> set[str]:
    return {*session.scalars(select(ModelRow.name)), *session.scalars(select(EventRow.model).distinct())}


def _chain_problems(trail: Sequence[LedgerEvent], *, model: str) -> Iterator[Problem]:
    expected, former = 1, chain.genesis(model)
    for event in trail:
        if event.sequence != expected:
            missing = _numbers(expected, event.sequence - 1)
            yield event.sequence, f"{missing} before it was removed"
        elif event.former_hash != former:
            yield (
                event.sequence,
                "it does not follow the event before it: one of the two was changed, removed or added",
            )
        if events.sealed(event) != event.hash:
            yield event.sequence, f"the {event.kind} event was changed: its hash is of another content"
        expected, former = event.sequence + 1, event.hash


def _anchor_problems(trail: Sequence[LedgerEvent], anchor: Anchor) -> Iterator[Problem]:
    sequence, kept = anchor
    found = next((event.hash for event in trail if event.sequence == sequence), None)
    if found is None:
        last = trail[-1].sequence if trail else 0
        yield sequence, f"the anchor names event {sequence}, but the last one is {last}: the end was cut off"
    elif found != kept:
        yield sequence, f"the anchor names the hash {kept}, but it is {found}: the chain was made anew"


def _row_problems(session: Session, trail: Sequence[LedgerEvent], *, model: str) -> Iterator[Problem]:
    """Compare each row with what the event of its operation key says."""
    written: dict[tuple[str, str], LedgerEvent] = {}
    for event in trail:
        if written.setdefault((event.kind, event.operation_key), event) is not event:
            yield event.sequence, f"the {event.kind} event {event.operation_key!r} is there twice"
    for table, said in _expected(session, model, written):
        own = written.pop((said["kind"], said["operation_key"]), None)
        named = f"the {table} {said['operation_key']!r} (version {said['version']})"
        if own is None:
            yield None, f"{named} has no event: it was removed, or the row was added by hand"
            continue
        actual = events.said_by(own)
        different = [name for name in said if said[name] != actual[name]]
        if different:
            fields = "; ".join(f"{name}: {said[name]!r}, not {actual[name]!r}" for name in different)
            yield own.sequence, f"{named} differs from its event: {fields}"
    for event in written.values():
        yield (
            event.sequence,
            f"the {event.kind} event {event.operation_key!r} has no row: it was added, or the row removed",
        )


def _expected(
    session: Session, model: str, written: Mapping[tuple[str, str], LedgerEvent]
) -> Iterator[tuple[str, Said]]:
    """Yield what the event of each row must say, with the name of the row's table in words."""

    def at(kind: str, key: str) -> int:
        # The row does not hold the generation of that moment; the event's is sealed into the chain.
        event = written.get((kind, key))
        return 0 if event is None else event.generation

    # A version that somebody removed makes its events wrong, and not the audit fail.
    files: dict[int, VersionRow] = defaultdict(
        lambda: VersionRow(digest="of no version", evidence_digest=None)
    )
    files.update({row.version: row for row in _rows(session, VersionRow, model)})
    for version in list(files.values()):
        generation = at("register", version.operation_key)
        yield "registration", events.of_version(version, generation=generation)
    for transition in _rows(session, TransitionRow, model):
        yield "transition", events.of_transition(transition)
    for approval in _rows(session, ApprovalRow, model):
        generation = at(approval.verdict, approval.operation_key)
        if approval.verdict == "approve":
            # It was given against the generation of that moment and no other.
            generation = approval.generation
        yield "approval", events.of_approval(approval, files[approval.version], generation=generation)
    for retirement in _rows(session, RetirementRow, model):
        generation = at("retire", retirement.operation_key)
        said = events.of_retirement(retirement, files[retirement.version], generation=generation)
        yield "retirement", said
    for deployment in _rows(session, DeploymentRow, model):
        yield "deployment", events.of_deployment(deployment, files[deployment.version])


def _stack_problems(session: Session, trail: Sequence[LedgerEvent], *, model: str) -> Iterator[Problem]:
    """Replay the transitions; a row also holds where it stands on the stack, which no event says."""
    stack: list[TransitionRow] = []
    former: TransitionRow | None = None
    rows = sorted(_rows(session, TransitionRow, model), key=lambda row: row.generation)
    for number, row in enumerate(rows, 1):
        if row.kind == "roll_back":
            stack = _rolled_back(stack, retired=_retired_before(row, trail))
            beneath = stack[-1].beneath if stack else None
            right = bool(stack) and row.version == stack[-1].version
            stack = [*stack[:-1], row]
        else:
            beneath = stack[-1].generation if stack else None
            right = True
            stack.append(row)
        previous = None if former is None else former.version
        if not right or (row.generation, row.beneath, row.previous_version) != (number, beneath, previous):
            yield None, f"the transition to generation {row.generation} does not follow from those before it"
        former = row
    known = session.get(ModelRow, model)
    generation = 0 if known is None else known.generation
    if generation != len(rows):
        yield None, f"the model is at generation {generation}, but it has {len(rows)} transitions"


def _rolled_back(stack: Sequence[TransitionRow], *, retired: Collection[int]) -> list[TransitionRow]:
    """Return what a roll back leaves: it passes by what was retired, and the version that it takes away."""
    left, passed = list(stack[:-1]), {*retired, *(row.version for row in stack[-1:])}
    while left and left[-1].version in passed:
        left.pop()
    return left


def _retired_before(row: TransitionRow, trail: Sequence[LedgerEvent]) -> set[int]:
    """Return what was out of use when a transition was written; clocks differ, the chain's order does not."""
    retired = set[int]()
    for event in trail:
        if (event.kind, event.operation_key) == (row.kind, row.operation_key):
            return retired
        if event.kind == "retire":
            retired.add(event.version)
    # Its event is gone, which is a finding of its own.
    return set()


def _rows(session: Session, table: type[Any], model: str) -> Sequence[Any]:
    return session.scalars(select(table).where(table.model == model)).all()


def _numbers(first: int, last: int) -> str:
    return f"event {first}" if first == last else f"events {first} to {last}"
