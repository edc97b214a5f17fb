"""The demo tells its story to the end, on real data."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from embedded_platform import OwnPlatform
from mlops_core.cli.embedded.environment import client_environment
from mlops_core.registry.ledger import Ledger

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnPlatform, dict[str, Any]]]:
    """A platform on which the demo has just ended, and its summary."""
    own = OwnPlatform.make(tmp_path_factory.mktemp("demo"))
    try:
        ended = own.command("demo", timeout_s=1800)
        assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
        yield own, json.loads((own.home.root / "summary.json").read_text())
    finally:
        own.command("down")


def outcomes(told: tuple[OwnPlatform, dict[str, Any]], step: int) -> list[dict[str, Any]]:
    return [outcome for outcome in told[1]["outcomes"] if outcome["step"] == step]


def test_the_first_champion_is_promoted_by_a_cold_start(told: Any) -> None:
    (first,) = outcomes(told, 2)
    assert first["decision"] == "promoted"
    assert first["version"] == 1
    assert "cold start" in first["happened"]
    assert first["metric"]["lower"] <= first["metric"]["value"] <= first["metric"]["upper"]


def test_the_monitors_decision_is_what_happens(told: Any) -> None:
    watched = outcomes(told, 3)[-1]
    carried_out = outcomes(told, 4)[0]
    assert watched["decision"] in {"retrain", "wait", "refuse"}
    assert (carried_out["decision"] in {"promoted", "refused"}) == (watched["decision"] == "retrain")


def test_the_rollback_ends_with_the_former_version_in_production(told: Any) -> None:
    waits, rolled_back, void = outcomes(told, 5)
    with Ledger(f"sqlite:///{told[0].home.root / 'ledger.db'}") as ledger:
        history = ledger.history("flight_delay")
    assert history[-1].kind == "roll_back"
    assert history[-1].version == rolled_back["version"] == history[-2].previous_version
    assert (waits["decision"], void["decision"]) == ("waits", "void")
    assert void["version"] == rolled_back["version"]


def test_the_history_that_tells_it_all_is_verified(told: Any) -> None:
    (read,) = outcomes(told, 7)
    assert read["decision"] == "verified"
    with Ledger(f"sqlite:///{told[0].home.root / 'ledger.db'}") as ledger:
        events = ledger.events("flight_delay")
    assert f"{len(events)} entries" in read["happened"]
    assert {"register", "approve", "promote", "deploy", "roll_back"} <= {event.kind for event in events}


def test_every_poisoned_delivery_is_refused(told: Any) -> None:
    poisoned = outcomes(told, 6)
    assert [outcome["decision"] for outcome in poisoned] == ["refused"] * 3
    kept = told[0].home.root / "data" / "quarantine" / "flight_delay"
    assert sorted(folder.name for folder in kept.iterdir()) == ["2013-08", "2013-09", "2013-10"]


def test_the_platform_is_left_running(told: Any) -> None:
    assert told[0].status()["healthy"] is True


def test_a_second_demo_starts_clean_and_gives_the_same_decisions_and_metrics(told: Any) -> None:
    own, first = told
    ended = own.command("demo", timeout_s=1800)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    second = json.loads((own.home.root / "summary.json").read_text())

    def told_of(summary: dict[str, Any]) -> list[tuple[Any, ...]]:
        return [
            tuple(outcome[name] for name in ("step", "title", "decision", "version", "metric"))
            for outcome in summary["outcomes"]
        ]

    assert told_of(second) == told_of(first)


def test_the_champion_is_built_again_and_is_identical(told: Any) -> None:
    own = told[0]
    with Ledger(f"sqlite:///{own.home.root / 'ledger.db'}") as ledger:
        champion = ledger.in_production("flight_delay")
    assert champion is not None
    variables = client_environment(own.home, ports=own.record.ports)

    ended = own.command("reproduce", "flight_delay", str(champion.version), "--json", **variables)

    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    report = json.loads(ended.stdout)
    assert report["verdict"] == "identical", report["differences"]
    assert report["recorded_run_id"] == champion.run_id != report["run_id"]
