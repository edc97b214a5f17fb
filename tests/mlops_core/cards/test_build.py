"""What a card gathers, and that it says so where something is not there."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from card_examples import FEATURES, carded, declared
from lineage_examples import COMMIT, Records
from mlops_core.cards.build import build_card
from mlops_core.cards.documents import ModelCard
from mlops_core.cards.markdown import markdown
from mlops_core.cards.render import badge_of, sections_of, title_of
from mlops_core.errors import DeclarationError
from mlops_core.evaluation.scores import Comparison
from mlops_core.registry.records import ApprovalRequest, VersionRecord
from mlops_core.signing import Signature
from registry_examples import Clock


def test_the_card_says_what_the_run_recorded(card: ModelCard) -> None:
    assert {feature.name: feature.type for feature in card.features} == FEATURES
    assert (card.training.parameters, card.training.seed, card.training.fit_seconds) == (
        {"iterations": 5},
        0,
        1.5,
    )
    assert card.training.resources == {"cpu_seconds": 12.5}
    assert card.training.others == ("line",)
    assert card.data.fitted_rows == 190
    assert [(one.partition, one.use, one.rows) for one in card.data.partitions] == [
        ("2013-01", "training", 200),
        ("2013-02", "holdout", 200),
    ]
    assert card.environment is not None
    assert card.environment.code is not None
    assert card.environment.code.commit == COMMIT
    assert card.environment.packages["scikit-learn"]
    assert "pytest" not in card.environment.packages
    assert card.gaps == ()


def test_the_card_puts_the_champion_beside_each_score_and_the_primary_metric_first(card: ModelCard) -> None:
    first, second = card.scores

    assert (first.score.metric, first.champion and first.champion.value) == ("roc_auc", 0.7)
    assert first.difference is not None
    assert first.difference.improvement == 0.1
    assert (second.score.metric, second.champion, second.difference) == ("accuracy", None, None)


def test_the_same_records_give_the_same_card(records: Records, local_tracking_uri: str, clock: Clock) -> None:
    version, report = carded(records)

    def build() -> ModelCard:
        return build_card(
            declared(records.model),
            version=version,
            report=report,
            ledger=records.ledger,
            tracking_uri=local_tracking_uri,
        )

    before = build()
    clock.forward(days=3)

    assert build() == before


def test_a_run_that_is_gone_leaves_gaps_and_no_silence(records: Records, local_tracking_uri: str) -> None:
    version, report = carded(records)
    elsewhere = version.model_copy(update={"run_id": "0" * 32})

    card = build_card(
        declared(records.model),
        version=elsewhere,
        report=report,
        ledger=records.ledger,
        tracking_uri=local_tracking_uri,
    )

    assert (card.environment, card.training.seed, card.data.fitted_rows) == (None, None, None)
    assert [one.partition for one in card.data.partitions] == ["2013-01", "2013-02"]
    assert [feature.name for feature in card.features] == ["amount", "colour", "count", "member"]
    assert any("train_job.json" in gap for gap in card.gaps)
    assert any("is gone" in gap for gap in card.gaps)
    assert "It is not known which code fitted it." in card.known_limits


@pytest.mark.parametrize("mistake", ["report", "pipeline"])
def test_what_does_not_belong_together_makes_no_card(
    records: Records, local_tracking_uri: str, mistake: str
) -> None:
    version, report = carded(records)
    if mistake == "report":
        report = report.model_copy(update={"seed": 7})

    with pytest.raises(DeclarationError):
        build_card(
            declared("another" if mistake == "pipeline" else records.model),
            version=version,
            report=report,
            ledger=records.ledger,
            tracking_uri=local_tracking_uri,
        )


def test_a_low_risk_needs_no_approval(card: ModelCard) -> None:
    assert card.approval.status == "not required"


class Asked:
    """Asks about the version, and answers."""

    def __init__(self, records: Records, clock: Clock, uri: str) -> None:
        self.records, self.clock, self.uri = records, clock, uri
        self.version, self.report = carded(records)

    def ask(self, key: str = "ask") -> None:
        self.records.ledger.request_approval(
            ApprovalRequest(
                model=self.records.model,
                version=self.version.version,
                generation=0,
                evidence_digest=self.report.digest(),
                risk="medium",
                approvers=("grace",),
                requested_by="ada",
                dag_id="toy__train",
                run_id="run",
                task_id="approve",
                operation_key=f"{self.records.model}/{key}",
                at=self.clock.now,
                expires_at=self.clock.now + timedelta(hours=1),
            )
        )

    def answer(self, verdict: str, *, generation: int = 0) -> None:
        getattr(self.records.ledger, verdict)(
            self.records.model,
            version=self.version.version,
            expected_generation=generation,
            evidence_digest=self.report.digest(),
            actor="grace",
            reason="I looked at the slices",
            operation_key=f"{self.records.model}/{verdict}",
        )

    @property
    def card(self) -> ModelCard:
        return build_card(
            declared(self.records.model, risk="medium"),
            version=self.version,
            report=self.report,
            ledger=self.records.ledger,
            tracking_uri=self.uri,
        )


@pytest.fixture
def asked(records: Records, clock: Clock, local_tracking_uri: str) -> Asked:
    return Asked(records, clock, local_tracking_uri)


def test_the_approval_is_the_ledgers_at_every_stage(asked: Asked) -> None:
    assert asked.card.approval.status == "not asked for"

    asked.ask()
    assert (asked.card.approval.status, asked.card.approval.actor) == ("waiting", "grace")

    asked.answer("approve")
    approval = asked.card.approval
    assert (approval.status, approval.actor, approval.reason) == (
        "approved",
        "grace",
        "I looked at the slices",
    )


def test_the_last_decision_counts(asked: Asked) -> None:
    asked.answer("approve")
    asked.clock.forward(minutes=1)
    asked.answer("reject")

    assert asked.card.approval.status == "rejected"


def test_a_decision_against_another_generation_is_void_until_one_of_this_promotion_is_made(
    asked: Asked,
) -> None:
    asked.answer("reject", generation=1)

    approval = asked.card.approval
    assert (approval.status, approval.actor) == ("void", "grace")
    assert "what grace decided was about another generation" in markdown(
        title_of(asked.card), subtitle="", badge=badge_of(asked.card), sections=sections_of(asked.card)
    )
    asked.ask()
    assert asked.card.approval.status == "waiting"
    asked.answer("approve")
    assert asked.card.approval.status == "approved"


def test_a_question_that_is_asked_again_waits_again(asked: Asked) -> None:
    asked.answer("reject")
    asked.clock.forward(minutes=1)

    asked.ask("again")

    assert asked.card.approval.status == "waiting"


def test_the_card_names_the_key_that_vouches(records: Records, local_tracking_uri: str) -> None:
    version, report = carded(records)

    def key_of(record: VersionRecord) -> str | None:
        return build_card(
            declared(records.model),
            version=record,
            report=report,
            ledger=records.ledger,
            tracking_uri=local_tracking_uri,
        ).signature_key

    signed = version.model_copy(update={"signature": Signature(key_id="0123456789abcdef", value="AA==")})
    assert key_of(signed) == "0123456789abcdef"
    assert key_of(version) is None


def test_the_card_names_the_interval_of_an_improvement_where_it_is_corrected(
    card_of: Callable[..., ModelCard],
) -> None:
    chosen = Comparison(candidates=2, confidence=0.975, resamples=800)

    card = card_of(comparison=chosen)

    assert card.comparison == chosen
    words = markdown(title_of(card), subtitle="", badge=badge_of(card), sections=sections_of(card))
    assert "The interval of an improvement is a 97.5 % interval" in words
