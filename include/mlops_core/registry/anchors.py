"""Heads of the ledger's chains, noted outside its database and signed.

Whoever can write the database can cut off the end of a chain with all its rows, and then nothing in it is
wrong. What was noted elsewhere before still names the end that is gone.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue, ValidationError

from mlops_core.document import Document
from mlops_core.errors import CorruptedDataError
from mlops_core.registry import events
from mlops_core.registry.audit import Anchor
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import UtcInstant
from mlops_core.registry.transactions import aware, utc_now
from mlops_core.reports import ReportStore
from mlops_core.settings import Settings
from mlops_core.signing import Signature
from mlops_core.signing.signer import Signer
from mlops_core.signing.verifier import Verifier

PIPELINE = "mlops"
"""Under this name the report store keeps what is of no model."""
KIND = "audit"
NAME = "heads.json"


class AnchorDocument(Document):
    """The last event of every model at an instant: its sequence and its hash.

    ``signature`` is None where no key was trusted at that time.
    """

    at: UtcInstant
    heads: dict[str, Anchor]
    signature: Signature | None = None

    def content(self) -> dict[str, JsonValue]:
        """Return what a signature covers."""
        return self.model_dump(mode="json", exclude={"signature"})


def note_heads(
    ledger: Ledger, *, reports: ReportStore, clock: Callable[[], datetime] = utc_now
) -> AnchorDocument:
    """Note the present heads in the report store, one file a day, signed by the key of the settings.

    A note never replaces one that the ledger contradicts: that one is the evidence.

    Returns
    -------
    What was written.

    Raises
    ------
    CorruptedDataError
        If the ledger lost or changed what was noted last, or the newest note is none that is believed; see
        ``noted_heads``.
    SigningKeyError
        If keys are trusted and the one that signs is missing, unfit, or not among them.
    LedgerUnavailableError
        If the ledger does not answer.
    """
    # Read first: the ledger is then no older than the note that it is compared with.
    former = noted_heads(reports)
    with ledger.reading() as session:
        heads = events.heads(session)
        known = {} if former is None else former.heads
        lost = [model for model, head in known.items() if not events.is_there(session, model, head)]
    if former is not None and lost:
        raise CorruptedDataError(
            f"the ledger lost or changed events of {', '.join(sorted(lost))} that were noted at "
            f"{former.at.isoformat()}, so nothing is noted anew; see `mlops audit verify`. Where that is "
            f"explained, as by a restored backup, move {_newest(reports)} away"
        )
    try:
        unsigned = AnchorDocument.model_validate({"at": aware(clock()), "heads": heads})
    except ValidationError as error:
        raise CorruptedDataError(f"an event is none that the ledger wrote: {error}") from error
    document = unsigned.model_copy(update={"signature": _signature(unsigned)})
    reports.write(
        pipeline=PIPELINE,
        kind=KIND,
        key=document.at.date().isoformat(),
        name=NAME,
        content=document.model_dump_json(indent=2),
    )
    return document


def noted_heads(reports: ReportStore) -> AnchorDocument | None:
    """Return what was noted last; None where nothing was.

    Raises
    ------
    CorruptedDataError
        If it cannot be read, is of another day than its folder, or no trusted key signed it, unless it is
        unsigned and no key is trusted.
    SigningKeyError
        If a file of the trusted keys is none.
    """
    path = _newest(reports)
    if path is None:
        return None
    try:
        document = AnchorDocument.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptedDataError(f"the noted heads in {path} cannot be read: {error}") from error
    if document.at.date().isoformat() != path.parent.name:
        raise CorruptedDataError(
            f"the noted heads in {path} are of {document.at.isoformat()}: an older note was put in the place "
            "of a newer one. Look at the ledger, then move the file away"
        )
    verifier = Verifier.from_settings()
    if document.signature is None and not verifier.has_keys:
        return document
    if document.signature is None or not verifier.vouches(
        document.signature, "ledger heads", document.content()
    ):
        by = "by nobody" if document.signature is None else f"by the key {document.signature.key_id}"
        raise CorruptedDataError(
            f"the noted heads in {path} are signed {by}, and no trusted key vouches for what they say: they "
            "were changed, or that key is trusted no longer. Look at the ledger, then move the file away"
        )
    return document


def _signature(document: AnchorDocument) -> Signature | None:
    settings = Settings.from_environment()
    if not settings.signing_key.exists() and not Verifier.from_settings().has_keys:
        return None
    return Signer.from_settings().sign_content("ledger heads", document.content())


def _newest(reports: ReportStore) -> Path | None:
    # Days in ISO 8601 sort as text.
    return max(reports.path(f"{PIPELINE}/{KIND}").glob(f"*/{NAME}"), default=None)
