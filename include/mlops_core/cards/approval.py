"""Whether a person let a version go to production, as the ledger says."""

from typing import Literal

from mlops_core.cards.documents import CardApproval
from mlops_core.policies import Risk
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Approval, VersionRecord


def approval_of(version: VersionRecord, *, generation: int, risk: Risk, ledger: Ledger) -> CardApproval:
    """Return what people decided about a version on its evidence, or why there is no decision.

    A question that waits comes before any answer, for it asks anew. A decision against another generation
    than ``generation``, against which the version was judged, is void: it lets nothing be promoted.
    """
    subject = (version.version, version.evidence_digest, generation)
    for request in ledger.approval_requests(version.model):
        if (request.version, request.evidence_digest, request.generation) == subject:
            return CardApproval(status="waiting", actor=", ".join(request.approvers), at=request.at)
    decided = [
        approval
        for approval in ledger.approvals(version.model)
        if (approval.version, approval.evidence_digest) == (version.version, version.evidence_digest)
    ]
    valid = [approval for approval in decided if approval.generation == generation]
    if valid:
        return _decided(valid[-1], status="approved" if valid[-1].verdict == "approve" else "rejected")
    if decided:
        return _decided(decided[-1], status="void")
    return CardApproval(status="not required" if risk == "low" else "not asked for")


def _decided(last: Approval, *, status: Literal["approved", "rejected", "void"]) -> CardApproval:
    return CardApproval(status=status, actor=last.actor, reason=last.reason, at=last.at)
