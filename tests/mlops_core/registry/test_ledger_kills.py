"""Twenty kills at random moments; `make faults` plays four hundred."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).resolve().parents[2] / "faults" / "ledger_kills.py"


def test_registrations_and_promotions_that_are_killed_at_any_moment_happen_once() -> None:
    told = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "20", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert "good, after" in told.stdout
