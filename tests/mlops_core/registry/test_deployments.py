"""What is served follows what is in production, and never runs ahead of it."""

import pytest

from mlops_core.errors import DeclarationError, PromotionConflictError
from mlops_core.registry.ledger import Deployment, Ledger
from registry_examples import MODEL, Clock, recorded


def promote(ledger: Ledger, version: int, *, expected: int, model: str = MODEL) -> None:
    ledger.promote(
        model,
        version=version,
        expected_generation=expected,
        operation_key=f"promote/{model}/{version}",
        evidence_digest=f"evidence-{version}",
        actor="ada",
        reason="",
    )


def deploy(ledger: Ledger, version: int, *, expected: int, key: str = "", model: str = MODEL) -> Deployment:
    return ledger.deploy(
        model,
        version=version,
        expected_generation=expected,
        operation_key=key or f"deploy/{model}/{version}/{expected}",
        actor="ada",
    )


def test_nothing_is_deployed_at_first(ledger: Ledger) -> None:
    assert ledger.deployments() == ()


def test_a_deployment_names_the_version_by_digest_and_gives_it_all_traffic(
    ledger: Ledger, clock: Clock
) -> None:
    (record,) = recorded(ledger, 1)
    promote(ledger, 1, expected=0)

    deployment = deploy(ledger, 1, expected=1)

    assert deployment == Deployment(
        model=MODEL,
        version=record,
        share=1.0,
        generation=1,
        revision=1,
        operation_key=f"deploy/{MODEL}/1/1",
        actor="ada",
        at=clock.now,
    )
    assert ledger.deployments() == (deployment,)


def test_the_latest_deployment_of_each_model_holds(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    recorded(ledger, 1, model="fares")
    promote(ledger, 1, expected=0)
    promote(ledger, 1, expected=0, model="fares")
    deploy(ledger, 1, expected=1)
    fares = deploy(ledger, 1, expected=1, model="fares")
    promote(ledger, 2, expected=1)

    latest = deploy(ledger, 2, expected=2)

    assert latest.revision == 2
    assert ledger.deployments() == (fares, latest)


def test_deploying_again_with_the_same_key_changes_nothing(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    first = deploy(ledger, 1, expected=1, key="run-1/deploy")
    promote(ledger, 2, expected=1)
    second = deploy(ledger, 2, expected=2)

    assert deploy(ledger, 1, expected=1, key="run-1/deploy") == first
    assert ledger.deployments() == (second,)


def test_a_key_that_deployed_one_version_cannot_deploy_another(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    deploy(ledger, 1, expected=1, key="run-1/deploy")
    promote(ledger, 2, expected=1)

    with pytest.raises(DeclarationError, match=r"deployed version 1 .* cannot deploy version 2"):
        deploy(ledger, 2, expected=2, key="run-1/deploy")


def test_a_deployment_decided_before_a_roll_back_is_refused(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promote(ledger, 2, expected=1)
    ledger.roll_back(MODEL, operation_key="roll-back", actor="grace", reason="complaints")

    with pytest.raises(PromotionConflictError, match="'grace' rolled back to version 1"):
        deploy(ledger, 2, expected=2)

    assert ledger.deployments() == ()


def test_a_version_that_is_not_in_production_is_not_deployed(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)

    with pytest.raises(PromotionConflictError, match="no version is in production"):
        deploy(ledger, 1, expected=0)

    promote(ledger, 1, expected=0)
    with pytest.raises(PromotionConflictError, match="version 1 is in production"):
        deploy(ledger, 2, expected=1)
