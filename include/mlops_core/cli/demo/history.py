"""The last step: what the ledger tells of the story, and that nobody has changed it."""

from collections import Counter

from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.stage import Stage
from mlops_core.errors import StoryError
from mlops_core.registry.audit import verify


def read(stage: Stage, *, step: int) -> Outcome:
    """Read the model's history and verify the chain of its hashes.

    Raises
    ------
    StoryError
        If the history was changed, or ends elsewhere than production is.
    """
    report = verify(stage.ledger)
    if not report.sound:
        raise StoryError(f"the ledger's history does not verify: {'; '.join(map(str, report.findings))}")
    events = stage.ledger.events(stage.model)
    counts = Counter(event.kind for event in events)
    told = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in counts.items())
    return Outcome(
        step=step,
        title="Read the history",
        happened=f"{len(events)} entries ({told}), every hash verified; see: mlops history {stage.model}",
        decision="verified",
        version=stage.version_in_production(),
    )
