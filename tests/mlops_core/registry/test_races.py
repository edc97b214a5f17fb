"""Many at once: exactly one wins, and each loser is told who did."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_core.errors import MlopsError, PromotionConflictError
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, recorded, version_record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROMOTERS = 4
RACES = 200
_WAIT_S = 120
# Forking, as Airflow's executor does, and not spawning: the ledger object must survive it.
FORK = multiprocessing.get_context("fork")
Answer = tuple[str, str]


def at_once(act: Callable[[int, int], object], *, rounds: int) -> list[list[Answer]]:
    """Call ``act(round, promoter)`` in one process a promoter, all starting each round together."""
    gate = FORK.Barrier(PROMOTERS)
    answers = FORK.SimpleQueue()

    def run(promoter: int) -> None:
        mine = []
        try:
            for number in range(rounds):
                gate.wait(_WAIT_S)
                try:
                    mine.append(("won", str(act(number, promoter))))
                except MlopsError as error:
                    mine.append((type(error).__name__, str(error)))
        except BaseException:
            gate.abort()
            raise
        finally:
            # Whoever collects the answers waits for one of each, also of those that break.
            answers.put(mine)

    processes = [FORK.Process(target=run, args=(promoter,)) for promoter in range(PROMOTERS)]
    for process in processes:
        process.start()
    collected = [answers.get() for _ in processes]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [list(answers_of_round) for answers_of_round in zip(*collected, strict=True)]


def promote(ledger: Ledger, version: int, *, expected: int, actor: str, key: str) -> int:
    return ledger.promote(
        MODEL,
        version=version,
        expected_generation=expected,
        operation_key=key,
        evidence_digest=f"evidence-{version}",
        actor=actor,
        reason="race",
    ).version


def test_of_four_processes_that_promote_at_once_exactly_one_wins_each_of_200_races(ledger: Ledger) -> None:
    recorded(ledger, *range(1, 2 * PROMOTERS + 1))

    def act(number: int, promoter: int) -> int:
        # Versions alternate, so that nobody is refused for promoting the champion.
        version = 1 + promoter + PROMOTERS * (number % 2)
        key = f"{number}/{promoter}"
        return promote(ledger, version, expected=number, actor=f"promoter-{promoter}", key=key)

    races = at_once(act, rounds=RACES)

    history = ledger.history(MODEL)
    assert [transition.generation for transition in history] == list(range(1, RACES + 1))
    assert len(races) == RACES
    for number, race in enumerate(races):
        (winner,) = [answer for kind, answer in race if kind == "won"]
        losers = [answer for kind, answer in race if kind == PromotionConflictError.__name__]
        assert history[number].version == int(winner)
        assert len(losers) == PROMOTERS - 1
        for message in losers:
            assert f"expected generation {number}, but the ledger is at generation {number + 1}" in message
            assert f"{history[number].actor!r} promoted version {winner} at" in message


def test_one_promotion_that_runs_four_times_at_once_happens_once_and_everybody_wins(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)

    def act(number: int, promoter: int) -> int:  # noqa: ARG001  the same for every promoter
        return promote(ledger, 1 + number % 2, expected=number, actor="train", key=f"{number}")

    races = at_once(act, rounds=20)

    assert all(race == [("won", str(1 + number % 2))] * PROMOTERS for number, race in enumerate(races))
    assert len(ledger.history(MODEL)) == 20


def test_one_version_that_is_recorded_four_times_at_once_is_recorded_once(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)

    def act(number: int, promoter: int) -> int:
        # A lost reply gives each of them a number of its own for the same files.
        record = version_record(1).model_copy(update={"version": 1 + PROMOTERS * number + promoter})
        return ledger.record_version(record, operation_key=f"{number}", actor="train").version

    races = at_once(act, rounds=10)

    assert all(len(set(race)) == 1 for race in races)
    assert all(kind == "won" for race in races for kind, _ in race)
    assert len(ledger.versions(MODEL)) == 10


@pytest.mark.parametrize("attempt", range(5))
def test_four_processes_may_open_a_new_ledger_at_once(tmp_path: Path, attempt: int) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / str(attempt) / 'ledger.db'}")

    (answers,) = at_once(lambda *_: ledger.models(), rounds=1)

    assert answers == [("won", "()")] * PROMOTERS


def test_a_ledger_that_was_used_before_a_fork_works_on_both_sides(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0, actor="parent", key="parent/1")

    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here: leave without clean-up, and say by the exit code how it went.
        code = 1
        try:
            promote(ledger, 2, expected=1, actor="child", key="child")
            ledger.close()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    promote(ledger, 1, expected=2, actor="parent", key="parent/2")
    assert [transition.actor for transition in ledger.history(MODEL)] == ["parent", "child", "parent"]
