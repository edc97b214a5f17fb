"""What people decide about versions: approvals, rejections, retirements."""

from functools import partial

from mlops_core.registry import approvals, retirements
from mlops_core.registry.records import Approval, ApprovalRequest, Retirement
from mlops_core.registry.transactions import Transactions, aware


class Decided(Transactions):
    """Approvals and retirements of versions."""

    def request_approval(self, request: ApprovalRequest) -> ApprovalRequest:
        """Ask people to decide about a version.

        Returns
        -------
        The request that the operation key made first.

        Raises
        ------
        DeclarationError
            If the version is not in the ledger, or the operation key asked about something else.
        """
        return self._database.write(lambda session: approvals.request(session, request))

    def approval_requests(self, model: str | None = None) -> tuple[ApprovalRequest, ...]:
        """Return the open requests, the first one first.

        Open is what has no decision since it was asked, has not expired, and was judged against the present
        generation.
        """
        now = aware(self._clock())
        with self._database.reading() as session:
            return approvals.open_requests(session, model, now=now)

    def approve(
        self,
        model: str,
        *,
        version: int,
        expected_generation: int,
        evidence_digest: str,
        actor: str,
        reason: str,
        operation_key: str,
    ) -> Approval:
        """Approve one promotion: of this version, on this evidence, against this generation.

        Raises
        ------
        PromotionConflictError
            If the generation is another one by now.
        GateRefusedError
            If the version was registered without this evidence, or is retired.
        DeclarationError
            If the reason is empty, or the version is not in the ledger.
        """
        return self._database.write(
            partial(
                approvals.decide,
                model=model,
                version=version,
                expected_generation=expected_generation,
                evidence_digest=evidence_digest,
                verdict="approve",
                cause=self._cause(operation_key, actor, reason),
            )
        )

    def reject(
        self,
        model: str,
        *,
        version: int,
        expected_generation: int,
        evidence_digest: str,
        actor: str,
        reason: str,
        operation_key: str,
    ) -> Approval:
        """Reject one promotion; an approval of the same that came before counts no longer.

        Raises
        ------
        DeclarationError
            If the reason is empty, or the version is not in the ledger.
        """
        return self._database.write(
            partial(
                approvals.decide,
                model=model,
                version=version,
                expected_generation=expected_generation,
                evidence_digest=evidence_digest,
                verdict="reject",
                cause=self._cause(operation_key, actor, reason),
            )
        )

    def approvals(self, model: str) -> tuple[Approval, ...]:
        """Return the decisions about the model's versions, the first one first."""
        with self._database.reading() as session:
            return approvals.approvals(session, model)

    def retire(
        self,
        model: str,
        *,
        version: int,
        archive: str,
        archive_digest: str,
        actor: str,
        reason: str,
        operation_key: str,
    ) -> Retirement:
        """Take a version out of use for good. It is never promoted, adopted or rolled back to again.

        Parameters
        ----------
        archive
            Where its files are kept; empty if nowhere.

        Raises
        ------
        RetirementRefusedError
            If it is in production, deployed or the challenger, if the next roll back would return to it, if
            its approval is being asked for, or if it is retired already.
        DeclarationError
            If the reason is empty, or the version is not in the ledger.
        """
        return self._database.write(
            partial(
                retirements.retire,
                model=model,
                version=version,
                archive=archive,
                archive_digest=archive_digest,
                cause=self._cause(operation_key, actor, reason),
            )
        )

    def retirements(self, model: str) -> tuple[Retirement, ...]:
        """Return the model's retirements, the first one first."""
        with self._database.reading() as session:
            return retirements.retirements(session, model)

    def retirement_obstacles(self, model: str, version: int) -> tuple[str, ...]:
        """Return in words everything for which ``retire`` would refuse a version, each with its way out."""
        now = aware(self._clock())
        with self._database.reading() as session:
            return tuple(retirements.obstacles(session, model, version, now=now))

    def retirement_of(self, operation_key: str) -> Retirement | None:
        """Return the retirement that an operation key made, of whatever version."""
        with self._database.reading() as session:
            return retirements.retirement_of(session, operation_key)
