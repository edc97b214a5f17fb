"""The card as sections that people read: what was declared, what is known, how it was made and measured."""

from collections.abc import Iterator, Sequence

from mlops_core.cards.documents import CardFeature, CardScore, ModelCard
from mlops_core.cards.parts import examined_sections
from mlops_core.evaluation.scores import Score
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Badge, Block, Cell, Facts, Section, Table, Text

_APPROVAL_BADGES: dict[str, Badge] = {
    "approved": Badge("pass", "approved"),
    "not required": Badge("none", "no approval required"),
    "not asked for": Badge("warn", "approval not asked for"),
    "rejected": Badge("fail", "rejected"),
    "waiting": Badge("warn", "waiting for approval"),
    "void": Badge("warn", "approval void"),
}


def title_of(card: ModelCard) -> str:
    """Return the heading of the whole card."""
    return f"{card.model} version {card.version}"


def subtitle_of(card: ModelCard) -> str:
    """Return the line below it."""
    return f"Model card. {card.owner} owns it; risk {card.risk}; {card.task.value.replace('_', ' ')}."


def badge_of(card: ModelCard) -> Badge:
    """Return the approval's badge."""
    return _APPROVAL_BADGES[card.approval.status]


def sections_of(card: ModelCard) -> tuple[Section, ...]:
    """Return every section, in the order of what a reader must know first."""
    return (
        *_declared(card),
        Section("Known limits", _list(card.known_limits, empty="None was found in what was examined.")),
        _scores(card),
        _gates(card),
        *examined_sections(card.sections),
        _data(card),
        Section("Features", [_features(card.features)]),
        _training(card),
        _environment(card),
        _trust(card),
    )


def _declared(card: ModelCard) -> Iterator[Section]:
    said = card.declared
    yield Section("Description", _paragraphs(card.description))
    yield Section("Intended use", _paragraphs(said.intended_use))
    yield Section("Out of scope", _paragraphs(said.out_of_scope))
    yield Section("Declared limitations", _list(said.limitations, empty="Not declared."))
    yield Section("Ethical considerations", _paragraphs(said.ethical_considerations))


def _paragraphs(text: str) -> Sequence[Block]:
    found = [Text(" ".join(paragraph.split())) for paragraph in text.split("\n\n") if paragraph.strip()]
    return found or [Text("Not declared.")]


def _list(items: Sequence[str], *, empty: str) -> Sequence[Block]:
    return [Text(item) for item in items] or [Text(empty)]


def _scores(card: ModelCard) -> Section:
    header: tuple[str, ...] = ("Metric", "This version")
    rows: list[tuple[Cell, ...]] = [(one.score.metric, _interval(one.score)) for one in card.scores]
    rows += [(absent.metric, f"none: {absent.reason}") for absent in card.missing]
    if card.champion_version is not None:
        header = (*header, f"Champion (version {card.champion_version})", "Improvement")
        beside = [(_interval(one.champion), _difference(one)) for one in card.scores]
        beside += [(None, None) for _ in card.missing]
        rows = [(*row, *more) for row, more in zip(rows, beside, strict=True)]
    words = (
        f"On {card.data.holdout_rows:,} held-out rows; in brackets the {card.confidence * 100:g} % "
        f"confidence interval. {card.primary_metric} ranks and decides."
    )
    if card.champion_version is None:
        words += " No version was in production to compare with."
    if card.comparison is not None and card.comparison.is_corrected:
        words += f" {card.comparison.in_words()}"
    return Section("Metrics", [Table(header=header, rows=rows), Text(words)])


def _interval(score: Score | None) -> Cell:
    if score is None:
        return None
    return f"{number(score.value)} ({limits(score.lower, score.upper)})"


def _difference(one: CardScore) -> Cell:
    if one.difference is None:
        return None
    change = one.difference
    return f"{number(change.improvement, sign='+')} ({limits(change.lower, change.upper, sign='+')})"


def _gates(card: ModelCard) -> Section:
    rows = [
        (
            gate.gate,
            Badge("pass", "passed") if gate.passed else Badge("fail", "refused"),
            None if gate.value is None else number(gate.value),
            None if gate.bound is None else number(gate.bound),
            gate.reason,
        )
        for gate in card.gates
    ]
    return Section("Gates", [Table(header=("Gate", "Verdict", "Number", "Bound", "Why"), rows=rows)])


def _data(card: ModelCard) -> Section:
    data = card.data
    facts: list[tuple[str, Cell]] = [
        ("Table", data.snapshot.table_uri),
        ("Table version", data.snapshot.version),
        ("Snapshot digest", data.snapshot.digest),
        ("Split digest", data.split_digest),
        ("Fitted rows", data.fitted_rows),
        ("Held-out rows scored", data.holdout_rows),
        ("Held-out rows without a target", data.dropped_rows),
        ("Decisions on the held-out rows", data.holdout_uses),
    ]
    rows = [(one.partition, one.use, one.rows, one.digest) for one in data.partitions]
    partitions = Table(header=("Partition", "Use", "Rows", "Digest"), rows=rows)
    return Section("Data and lineage", [Facts(items=facts), partitions])


def _features(features: Sequence[CardFeature]) -> Block:
    if not features:
        return Text("Every column but the key and the target; the run did not record which.")
    return Table(header=("Feature", "Type"), rows=[(one.name, one.type) for one in features])


def _training(card: ModelCard) -> Section:
    made = card.training
    facts: list[tuple[str, Cell]] = [
        ("Candidate", made.candidate),
        ("Chosen from", ", ".join((made.candidate, *made.others))),
        ("MLflow run", made.run_id),
        ("Target", card.target),
        ("Seed", made.seed),
        ("Fit, seconds", made.fit_seconds),
        *((f"Parameter {name}", _text(value)) for name, value in made.parameters.items()),
        *((f"Used: {name.replace('_', ' ')}", value) for name, value in made.resources.items()),
    ]
    if made.tuning is not None:
        tuning = made.tuning
        chosen = (
            f"trial {tuning.trial} of {tuning.trials} ({tuning.pruned} pruned, {tuning.failed} failed), "
            f"{tuning.metric} {number(tuning.score)} on the training rows that chose it"
        )
        facts.append(("Tuning", chosen))
    if made.cross_validation is not None:
        facts.append(("Cross-validation", made.cross_validation.in_words()))
    return Section("Training", [Facts(items=facts)])


def _environment(card: ModelCard) -> Section:
    environment = card.environment
    if environment is None:
        return Section("Environment", [Text("The run did not record it.")])
    facts: list[tuple[str, Cell]] = [
        ("Code version", "not known" if environment.code is None else str(environment.code)),
        ("Python", environment.python),
        ("Machine", f"{environment.platform}, {environment.cpus} CPUs"),
        *environment.packages.items(),
    ]
    return Section("Environment", [Facts(items=facts)])


def _trust(card: ModelCard) -> Section:
    approval = card.approval
    decided = f"{approval.status} by {approval.actor}" if approval.actor else approval.status
    if approval.status == "void":
        decided = f"void: what {approval.actor} decided was about another generation"
    facts: list[tuple[str, Cell]] = [
        ("Approval", decided),
        ("Reason", approval.reason or None),
        ("At", None if approval.at is None else f"{approval.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("Signed by key", card.signature_key or "unsigned: it is never loaded"),
        ("Stored model", card.uri),
        ("Files' digest", card.digest),
        ("Evidence digest", card.evidence_digest),
        *(("Not known", gap) for gap in card.gaps),
    ]
    return Section("Approval and identity", [Facts(items=facts)], badge=badge_of(card))


def _text(value: object) -> Cell:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
