"""Registration: an evaluation report that passed becomes a version, once."""

import logging

from mlflow import MlflowClient

from mlops_core.errors import RegistryMismatchError
from mlops_core.evaluation.evidence import EVIDENCE_TAG
from mlops_core.evaluation.gates import enforce
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mirror import mirror_aliases
from mlops_core.registry.mlflow_versions import (
    create_version,
    delete_version,
    search_versions,
    tag_version,
)
from mlops_core.registry.records import VersionRecord
from mlops_core.signing.signer import Signer
from mlops_core.tracking import OPERATION_KEY_TAG, tracking_client

DIGEST_TAG = "mlops.digest"
SNAPSHOT_TAG = "mlops.snapshot"
CANDIDATE_TAG = "mlops.candidate"
SIGNATURE_TAG = "mlops.signature"

_log = logging.getLogger(__name__)


def register(
    report: EvaluationReport, *, ledger: Ledger, tracking_uri: str, operation_key: str, actor: str
) -> VersionRecord:
    """Register the report's challenger as a version that may be promoted on this report.

    A version that the same operation key made before is adopted, wherever the former try ended. It is signed
    as soon as MLflow's number of it is known.

    Returns
    -------
    The version, as the ledger knows it, with the report's digest as its evidence.

    Raises
    ------
    GateRefusedError
        If the report did not pass.
    SigningKeyError
        If there is no key to sign with that is trusted; nothing was made then.
    RegistryMismatchError
        If MLflow holds a version of this operation key with other model files.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer; a retry completes the work.
    """
    enforce(report)
    signer = Signer.from_settings()
    client = tracking_client(tracking_uri)
    first = ledger.version_of(operation_key)
    number = (
        first.version
        if first is not None
        else _adopt_or_create(report, ledger=ledger, client=client, operation_key=operation_key)
    )
    stored = report.challenger.model
    unsigned = VersionRecord(
        model=report.pipeline,
        version=number,
        digest=stored.digest,
        uri=stored.uri,
        run_id=stored.run_id,
        evidence_digest=report.digest(),
    )
    record = ledger.record_version(
        unsigned.model_copy(update={"signature": signer.sign(unsigned)}),
        operation_key=operation_key,
        actor=actor,
    )
    _delete_surplus(record, client=client, operation_key=operation_key)
    _show_signature(record, client=client)
    mirror_aliases(record.model, ledger=ledger, client=client)
    return record


def _adopt_or_create(
    report: EvaluationReport, *, ledger: Ledger, client: MlflowClient, operation_key: str
) -> int:
    stored = report.challenger.model
    # A registered model that was deleted and made again counts from 1; the ledger's numbers are forever.
    taken = {record.version for record in ledger.versions(report.pipeline)}
    while True:
        own = search_versions(client, report.pipeline, operation_key=operation_key)
        for number, version in own.items():
            if version.source != stored.uri:
                raise RegistryMismatchError(
                    f"version {number} of {report.pipeline!r} bears the operation key {operation_key!r} but "
                    f"comes from {version.source}, not from {stored.uri}; delete it in MLflow"
                )
        # A lost reply makes a second version; everybody keeps the lowest.
        free = own.keys() - taken
        if free:
            return min(free)
        create_version(client, report.pipeline, stored=stored, tags=_tags(report, operation_key))


def _tags(report: EvaluationReport, operation_key: str) -> dict[str, str]:
    snapshot = report.snapshot
    return {
        OPERATION_KEY_TAG: operation_key,
        DIGEST_TAG: report.challenger.model.digest,
        EVIDENCE_TAG: report.digest(),
        SNAPSHOT_TAG: f"{snapshot.table_uri}@{snapshot.version} {snapshot.digest}",
        CANDIDATE_TAG: report.challenger.candidate,
    }


def _show_signature(record: VersionRecord, *, client: MlflowClient) -> None:
    """Write the signature beside the version in MLflow, to be seen there; the ledger's is believed."""
    if record.signature is not None:
        content = record.signature.model_dump_json()
        tag_version(client, record.model, version=record.version, tags={SIGNATURE_TAG: content})


def _delete_surplus(record: VersionRecord, *, client: MlflowClient, operation_key: str) -> None:
    """Delete versions of the operation key that the ledger did not take: nothing refers to them."""
    own = search_versions(client, record.model, operation_key=operation_key)
    for number in own.keys() - {record.version}:
        _log.warning(
            "Deleting version %d of %s: version %d is the same", number, record.model, record.version
        )
        delete_version(client, record.model, version=number)
