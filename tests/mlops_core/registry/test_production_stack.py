"""The ledger against the simplest thing that could be right: a list."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger_decisions import retire
from mlops_core.errors import (
    GateRefusedError,
    PromotionConflictError,
    RetirementRefusedError,
    RollbackRefusedError,
)
from mlops_core.registry.audit import verify
from mlops_core.registry.ledger import Ledger, Transition
from registry_examples import MODEL, Clock, recorded

pytestmark = pytest.mark.slow


class ProductionStack(RuleBasedStateMachine):
    """Versions 1 to 4 are promoted, rolled back and retired in any order, some too late."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.ledger = Ledger(f"sqlite:///{Path(self.folder.name) / 'ledger.db'}", clock=self.clock)
        self.stack: list[int] = []
        self.past: list[Transition] = []
        self.retired: set[int] = set()
        self.keys = 0

    @initialize()
    def register(self) -> None:
        recorded(self.ledger, 1, 2, 3, 4)

    @rule(version=st.integers(1, 4), lag=st.integers(0, 2))
    def promote(self, version: int, lag: int) -> None:
        self.clock.forward(minutes=1)
        self.keys += 1
        try:
            transition = self._promote(version, expected=len(self.past) - lag, key=f"promote/{self.keys}")
        except PromotionConflictError:
            assert lag > 0 or self.stack[-1:] == [version]
        except GateRefusedError:
            assert version in self.retired
        else:
            assert lag == 0
            assert version not in self.retired
            assert self.stack[-1:] != [version]
            self.stack.append(version)
            self.past.append(transition)

    @rule()
    def roll_back(self) -> None:
        self.clock.forward(minutes=1)
        self.keys += 1
        try:
            transition = self._roll_back(f"roll-back/{self.keys}")
        except RollbackRefusedError:
            assert not self._beneath()
        else:
            self.stack = self._beneath()
            assert transition.version == self.stack[-1]
            self.past.append(transition)

    @rule(version=st.integers(1, 4))
    def retire(self, version: int) -> None:
        self.keys += 1
        in_use = {4} if all(past.version != 4 for past in self.past) else set()
        in_use |= {*self.stack[-1:], *self._beneath()[-1:], *self.retired}
        try:
            retire(self.ledger, version, key=f"retire/{self.keys}")
        except RetirementRefusedError:
            assert version in in_use
        else:
            assert version not in in_use
            self.retired.add(version)

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        past = data.draw(st.sampled_from(self.past))
        again = (
            self._promote(past.version, expected=past.generation - 1, key=past.operation_key)
            if past.kind == "promote"
            else self._roll_back(past.operation_key)
        )
        assert again == past

    @invariant()
    def agrees(self) -> None:
        state = self.ledger.state(MODEL)
        assert state.generation == len(self.past)
        assert (state.champion.version if state.champion else None) == (self.stack or [None])[-1]
        assert self.ledger.history(MODEL) == tuple(self.past)
        for transition in self.past[-3:]:
            version = self.ledger.in_production(MODEL, at=transition.at)
            assert version is not None
            assert version.version == transition.version

    def teardown(self) -> None:
        if self.keys:
            assert verify(self.ledger).findings == ()
        self.ledger.close()
        self.folder.cleanup()

    def _beneath(self) -> list[int]:
        """Return what a roll back would leave, with the version that it returns to on top."""
        left, passed = self.stack[:-1], {*self.stack[-1:], *self.retired}
        while left and left[-1] in passed:
            left.pop()
        return left

    def _promote(self, version: int, *, expected: int, key: str) -> Transition:
        return self.ledger.promote(
            MODEL,
            version=version,
            expected_generation=expected,
            operation_key=key,
            evidence_digest=f"evidence-{version}",
            actor="ada",
            reason="",
        )

    def _roll_back(self, key: str) -> Transition:
        return self.ledger.roll_back(MODEL, operation_key=key, actor="ada", reason="")


TestProductionStack = ProductionStack.TestCase
TestProductionStack.settings = settings(max_examples=15, stateful_step_count=20, deadline=None, database=None)
