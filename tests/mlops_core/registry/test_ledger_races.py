"""A thousand races on either database: exactly one of four promoters wins each, and the trail tells all."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from ledger_decisions import approve, promote, reject
from mlops_core.errors import MlopsError, PromotionConflictError
from mlops_core.registry.audit import verify
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, recorded

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PROMOTERS = 4
RACES = 1000
FORK = multiprocessing.get_context("fork")
_WAIT_S = 120


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@contextmanager
def answered(gate: Barrier, answers: Any, promoter: int) -> Iterator[list[Any]]:
    """Hand in the answers that the block collects; whoever waits for one of each also waits for those that
    break."""
    mine: list[Any] = []
    try:
        yield mine
    except BaseException:
        gate.abort()
        raise
    finally:
        answers.put((promoter, mine))


def race(url: str, gate: Barrier, answers: Any, promoter: int) -> None:
    """Promote against the same generation as all the others, round after round, in one long-lived process."""
    with answered(gate, answers, promoter) as mine, Ledger(url) as ledger:
        for number in range(RACES):
            # Versions alternate, so that nobody is refused for promoting the champion.
            version = 1 + promoter + PROMOTERS * (number % 2)
            gate.wait(_WAIT_S)
            try:
                transition = promote(ledger, version, expected=number, key=f"{number}/{promoter}")
            except MlopsError as error:
                mine.append((type(error).__name__, str(error)))
            else:
                mine.append(("won", str(transition.version)))


def test_of_four_promoters_exactly_one_wins_each_of_a_thousand_races(url: str) -> None:
    with Ledger(url) as ledger:
        recorded(ledger, *range(1, 2 * PROMOTERS + 1))
    gate, answers = FORK.Barrier(PROMOTERS), FORK.SimpleQueue()
    processes = [FORK.Process(target=race, args=(url, gate, answers, number)) for number in range(PROMOTERS)]
    for process in processes:
        process.start()
    collected = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()

    ledger = Ledger(url)
    history = ledger.history(MODEL)
    assert [process.exitcode for process in processes] == [0] * PROMOTERS
    assert [transition.generation for transition in history] == list(range(1, RACES + 1))
    winners = set()
    for number, transition in enumerate(history):
        told = {promoter: mine[number] for promoter, mine in collected.items()}
        (winner,) = (promoter for promoter, (kind, _) in told.items() if kind == "won")
        winners.add(winner)
        assert transition.operation_key == f"{number}/{winner}"
        assert told.pop(winner) == ("won", str(transition.version))
        for kind, message in told.values():
            assert kind == PromotionConflictError.__name__
            assert f"expected generation {number}, but the ledger is at generation {number + 1}" in message
    assert len(winners) > 1, "one promoter won every race, so nobody raced"
    assert verify(ledger).findings == ()
    ledger.close()


def at_once(act: Any, *, rounds: int) -> list[list[str]]:
    """Return by round what each of four processes, in their order, answered that started it together."""
    gate, answers = FORK.Barrier(PROMOTERS), FORK.SimpleQueue()

    def run(promoter: int) -> None:
        with answered(gate, answers, promoter) as mine:
            for number in range(rounds):
                gate.wait(_WAIT_S)
                try:
                    mine.append(str(act(number, promoter)))
                except MlopsError as error:
                    mine.append(type(error).__name__)

    processes = [FORK.Process(target=run, args=(number,)) for number in range(PROMOTERS)]
    for process in processes:
        process.start()
    collected = [mine for _, mine in sorted(answers.get() for _ in processes)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [list(told) for told in zip(*collected, strict=True)]


def test_a_promotion_and_the_rejection_that_takes_its_approval_back_never_both_come_first(url: str) -> None:
    rounds = 20
    with Ledger(url) as ledger:
        recorded(ledger, 1, 2)

    def act(number: int, actor: int) -> int | str:
        version = 1 + number % 2
        if actor == 0:
            key = f"approve/{number}"
            return promote(ledger, version, expected=number, key=f"promote/{number}", approval=key).generation
        if actor == 1:
            return reject(ledger, version, expected=number, key=f"reject/{number}").verdict
        return "looked on"

    with Ledger(url) as ledger:
        for number in range(rounds):
            approve(ledger, 1 + number % 2, expected=number, key=f"approve/{number}")
            ((promoted, *_),) = at_once(lambda _, actor: act(number, actor), rounds=1)  # noqa: B023  used in the round
            kinds = [event.kind for event in ledger.events(MODEL)][-2:]
            if promoted == "ApprovalMissingError":
                assert kinds == ["approve", "reject"]
                # What was rejected is promoted once it is approved anew.
                version, key = 1 + number % 2, f"again/{number}"
                approve(ledger, version, expected=number, key=f"approve {key}")
                promote(ledger, version, expected=number, key=key, approval=f"approve {key}")
            else:
                assert set(kinds) == {"promote", "reject"}
        assert verify(ledger).findings == ()


def test_four_processes_may_open_a_new_ledger_at_once(url: str) -> None:
    ledger = Ledger(url)

    assert at_once(lambda *_: ledger.models(), rounds=1) == [["()"] * PROMOTERS]


def test_first_versions_of_one_model_that_are_registered_at_once_are_all_in_the_trail(url: str) -> None:
    ledger = Ledger(url)

    def act(number: int, promoter: int) -> int:
        return recorded(ledger, PROMOTERS * number + promoter + 1)[0].version

    answers = at_once(act, rounds=10)

    assert sorted(int(answer) for told in answers for answer in told) == list(range(1, 10 * PROMOTERS + 1))
    assert [event.sequence for event in ledger.events(MODEL)] == list(range(1, 10 * PROMOTERS + 1))
    assert verify(ledger).findings == ()
