"""A version without a trusted signature gets one: from before there were keys, or of a former key."""

import logging

from mlflow import MlflowClient

from mlops_core.errors import UntrustedModelError
from mlops_core.models.stored import check_files
from mlops_core.registry.anchors import noted_heads
from mlops_core.registry.audit import verify as verify_ledger
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mlflow_versions import tag_version
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.register import SIGNATURE_TAG
from mlops_core.reports import ReportStore
from mlops_core.signing.signer import Signer
from mlops_core.signing.verifier import Verifier

SIGNED_BY_TAG = "mlops.signed_by"
"""On a version in MLflow: who signed it after its registration, and why. Shown, and not believed."""

_log = logging.getLogger(__name__)


def sign_version(
    model: str,
    version: int,
    *,
    ledger: Ledger,
    client: MlflowClient,
    reports: ReportStore,
    actor: str,
    reason: str,
    operation_key: str,
) -> VersionRecord:
    """Sign a version of the ledger that no trusted key has signed.

    One that a trusted key has signed keeps its signature; it is only shown in MLflow anew.

    Parameters
    ----------
    reports
        Where the heads of the ledger were noted: what contradicts them is not signed.

    Returns
    -------
    The version with a signature that is trusted.

    Raises
    ------
    UntrustedModelError
        If its record or its files are not what was registered, or do not fit the signature of a trusted key.
    CorruptedDataError
        If the heads that were noted last are not believed; see ``noted_heads``.
    SigningKeyError
        If there is no key to sign with that is trusted.
    GateRefusedError
        If the version is retired.
    DeclarationError
        If the reason is empty, or the version is not in the ledger.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer; a retry completes the work.
    """
    record = ledger.version(model, version)
    verifier = Verifier.from_settings()
    tags = {}
    if record.signature is None or not verifier.trusts(record.signature.key_id):
        signer = Signer.from_settings()
        # Nobody has vouched for this record, so what was sealed when it was registered must.
        _require_sound(record, ledger=ledger, reports=reports)
        check_files(record, tracking_uri=client.tracking_uri)
        record = ledger.sign_version(
            model,
            version=version,
            signature=signer.sign(record),
            actor=actor,
            reason=reason,
            operation_key=operation_key,
        )
        tags[SIGNED_BY_TAG] = f"{actor}: {reason}"
        _log.info("%s signed version %d of %s: %s", actor, version, model, reason)
    verifier.verify(record)
    if record.signature is not None:
        tags[SIGNATURE_TAG] = record.signature.model_dump_json()
    tag_version(client, model, version=version, tags=tags)
    return record


def _require_sound(record: VersionRecord, *, ledger: Ledger, reports: ReportStore) -> None:
    # Read first: the ledger is then no older than the note that it is compared with.
    noted = noted_heads(reports)
    audit = verify_ledger(ledger, noted=None if noted is None else noted.heads)
    problems = [found.problem for found in audit.findings if found.model == record.model]
    if problems:
        raise UntrustedModelError(
            f"version {record.version} of {record.model!r} is not signed: something else has "
            f"changed the ledger ({'; '.join(problems)}); see `mlops audit verify`"
        )
