"""What several tests do to a ledger, in few words."""

from typing import Any

from mlops_core.registry.ledger import Deployment, Ledger, Transition, VersionRecord
from mlops_core.registry.records import Approval, ApprovalRequest, Retirement
from mlops_core.signing import Signature
from registry_examples import MODEL, Clock, version_record

SIGNATURE = Signature(key_id="0123456789abcdef", value="c2lnbmVk")


def promote(
    ledger: Ledger,
    version: int,
    *,
    expected: int,
    key: str = "",
    approval: str | None = None,
    model: str = MODEL,
) -> Transition:
    return ledger.promote(
        model,
        version=version,
        expected_generation=expected,
        operation_key=key or f"promote/{model}/{version}/{expected}",
        evidence_digest=f"evidence-{version}",
        actor="ada",
        reason="better on the same rows",
        approval_key=approval,
    )


def roll_back(ledger: Ledger, key: str = "roll-back") -> Transition:
    return ledger.roll_back(MODEL, operation_key=key, actor="grace", reason="complaints")


def deploy(ledger: Ledger, version: int, *, expected: int) -> Deployment:
    return ledger.deploy(
        MODEL,
        version=version,
        expected_generation=expected,
        operation_key=f"deploy/{version}/{expected}",
        actor="ada",
    )


def adopt(
    ledger: Ledger, version: int, *, expected: int, key: str = "adopt", reason: str = "urgent"
) -> Transition:
    return ledger.adopt(
        MODEL, version=version, expected_generation=expected, actor="grace", reason=reason, operation_key=key
    )


def retire(ledger: Ledger, version: int, *, key: str = "", reason: str = "superseded") -> Retirement:
    return ledger.retire(
        MODEL,
        version=version,
        archive="archive/v1.tar.gz",
        archive_digest="archive-digest",
        actor="grace",
        reason=reason,
        operation_key=key or f"retire/{version}",
    )


def approve(
    ledger: Ledger, version: int = 1, *, expected: int = 0, key: str = "approve", **changes: str
) -> Approval:
    return ledger.approve(MODEL, **_decision(version, expected=expected, key=key, **changes))


def reject(
    ledger: Ledger, version: int = 1, *, expected: int = 0, key: str = "reject", **changes: str
) -> Approval:
    return ledger.reject(MODEL, **_decision(version, expected=expected, key=key, **changes))


def _decision(version: int, *, expected: int, key: str, **changes: str) -> dict[str, Any]:
    return {
        "version": version,
        "expected_generation": expected,
        "evidence_digest": changes.get("evidence", f"evidence-{version}"),
        "actor": changes.get("actor", "grace"),
        "reason": changes.get("reason", "looked at the slices"),
        "operation_key": key,
    }


def approval_request(clock: Clock, version: int = 1, *, key: str = "ask", **changes: Any) -> ApprovalRequest:
    now = clock.now
    fields = {
        "model": MODEL,
        "version": version,
        "generation": 0,
        "evidence_digest": f"evidence-{version}",
        "risk": "high",
        "approvers": ("grace", "alan"),
        "requested_by": "ada",
        "dag_id": f"{MODEL}__train",
        "run_id": "manual__1",
        "task_id": "approve",
        "operation_key": key,
        "at": now,
        "expires_at": clock.forward(hours=1),
    }
    clock.now = now
    return ApprovalRequest.model_validate({**fields, **changes})


def signed(ledger: Ledger, version: int, **changes: Any) -> VersionRecord:
    """Register a version with a signature that the ledger itself does not verify."""
    return ledger.record_version(
        version_record(version, signature=SIGNATURE, **changes),
        operation_key=f"register/{MODEL}/{version}",
        actor="train",
    )
