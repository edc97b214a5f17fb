"""Where every model stands agrees with what the ledger says of each, in a fixed number of queries."""

from pathlib import Path

from sqlalchemy import Engine, event

from fleet_examples import NEW, QUIET, WAITING, populate, promoted
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.standing import standings
from registry_examples import Clock


def test_a_standing_agrees_with_the_ledgers_own_answers(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        populate(ledger, clock)
        found = standings(ledger, now=clock())
        assert [standing.model for standing in found] == [NEW, QUIET, WAITING]
        for standing in found:
            model = standing.model
            assert standing == next(iter(standings(ledger, now=clock(), model=model)))
            assert standing.pipeline == ledger.pipeline(model)
            assert standing.state == ledger.state(model)
            assert standing.since == next(reversed(ledger.history(model)), None)
            assert standing.evaluation == next(iter(ledger.evaluations(model, limit=1)), None)
            assert standing.decision == next(iter(ledger.decisions(model, limit=1)), None)
            assert standing.training == next(iter(ledger.trainings(model, limit=1)), None)
            assert standing.request == next(iter(ledger.approval_requests(model)), None)
        served = {deployment.model: deployment for deployment in ledger.deployments()}
        assert {standing.model: standing.deployment for standing in found if standing.deployment} == served
        assert standings(ledger, now=clock(), model="unheard") == ()
        assert standings(ledger, now=clock.forward(days=90), model=WAITING)[0].request is None, "it expired"


def test_more_models_take_no_more_queries(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        promoted(ledger, clock, 1, model="first")
        few = statements(ledger, clock)
        for name in ("second", "third", "fourth"):
            promoted(ledger, clock, 1, model=name)
            promoted(ledger, clock, 2, model=name)
        assert statements(ledger, clock) == few


def statements(ledger: Ledger, clock: Clock) -> int:
    """Count the statements of one reading of all."""
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        standings(ledger, now=clock())
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert counted
    return len(counted)
