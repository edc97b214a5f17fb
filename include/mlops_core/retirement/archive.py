"""The archive of one version: made once, read back before it counts, and checked whenever it is wanted."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient

from mlops_core.artifacts import find_artifact
from mlops_core.cards.places import CARD_FILES, card_folder
from mlops_core.data import storage
from mlops_core.errors import (
    ArchiveMissingError,
    CorruptedDataError,
    EvaluationError,
    UntrustedModelError,
)
from mlops_core.evaluation.evidence import read_report
from mlops_core.models.stored import download_model
from mlops_core.registry.records import Retirement, VersionRecord
from mlops_core.retirement.documents import CheckedArchive, FreedArchive, Manifest
from mlops_core.retirement.pack import MODEL_FOLDER, digest_of, opened, sealed
from mlops_core.signing.verifier import Verifier
from mlops_core.training.run import ENVIRONMENT_FILE, JOB_FILE, RESULT_FILE
from mlops_core.training.tuning.record import TUNING_FILE

_DIGEST_LENGTH = 12

log = logging.getLogger(__name__)


def archive_name(record: VersionRecord) -> str:
    """Return where a version's archive lies below the folder of archives."""
    return f"{record.model}/v{record.version}-{record.digest[:_DIGEST_LENGTH]}.tar.gz"


def freed_note(archive: str) -> str:
    """Return where the note lies that an archive was freed."""
    return f"{archive}.freed.json"


def make_archive(record: VersionRecord, *, client: MlflowClient, tracking_uri: str, folder: str) -> str:
    """Archive a version's files, card, evidence and training, unless an intact archive of all that is there.

    One that holds another card than the run's present one is replaced: a refused try left it.

    Returns
    -------
    The archive's SHA-256, after it was read back from where it lies.

    Raises
    ------
    UntrustedModelError
        If the model's files differ from their digest, or are gone: a version is not retired without them.
    CorruptedDataError
        If what was written cannot be read back.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    address = f"{folder}/{archive_name(record)}"
    if storage.exists(address):
        try:
            digest, card = _read_back(address, record=record)
        except (CorruptedDataError, UntrustedModelError) as error:
            log.warning("the archive %s is made anew: %s", address, error)
        else:
            if card == _found(client, record.run_id, _card_paths(record)):
                return digest
            log.warning("the archive %s is made anew: the card was written again since", address)
    storage.write_file(address, _content(record, client=client, tracking_uri=tracking_uri))
    digest, _ = _read_back(address, record=record)
    return digest


def check_archive(
    retirement: Retirement, *, record: VersionRecord, folder: str, verifier: Verifier | None = None
) -> CheckedArchive:
    """Read a retired version's archive back and verify all of it, as one who wants to restore it must.

    Parameters
    ----------
    record
        The ledger's; the archive must hold the same.
    verifier
        Holds the trusted keys; those of the settings if None.

    Raises
    ------
    ArchiveMissingError
        If retention has freed it, or it is not where it was put.
    CorruptedDataError
        If it differs from the digest in the ledger, or from its own manifest.
    UntrustedModelError
        If its model is not the version's, or no trusted key vouches for the version.
    """
    content = _read(retirement, folder=folder)
    found = digest_of(content)
    if found != retirement.archive_digest:
        raise CorruptedDataError(
            f"the archive {retirement.archive} has the digest {found[:12]}, the ledger says "
            f"{retirement.archive_digest[:12]}: it was changed after the version was retired"
        )
    manifest, _ = opened(content)
    _require_same(manifest, record)
    (verifier or Verifier.from_settings()).verify(record)
    if record.signature is None:
        raise UntrustedModelError(f"version {record.version} of {record.model!r} is not signed")
    return CheckedArchive(
        manifest=manifest,
        archive=retirement.archive,
        archive_digest=found,
        bytes=len(content),
        key_id=record.signature.key_id,
    )


def _read(retirement: Retirement, *, folder: str) -> bytes:
    named = f"version {retirement.version} of {retirement.model!r}"
    if not retirement.archive:
        raise ArchiveMissingError(f"{named} was retired without an archive")
    try:
        return bytes(storage.read_file(f"{folder}/{retirement.archive}"))
    except FileNotFoundError as error:
        note = f"{folder}/{freed_note(retirement.archive)}"
        if storage.exists(note):
            freed = FreedArchive.model_validate_json(storage.read_file(note).to_pybytes())
            raise ArchiveMissingError(
                f"the archive of {named} was freed at {freed.at.isoformat()}: {freed.reason}"
            ) from error
        raise ArchiveMissingError(
            f"the archive of {named} is not at {folder}/{retirement.archive}; put it there again, or name "
            "its folder in MLOPS_ARCHIVE_PATH"
        ) from error


def _read_back(address: str, *, record: VersionRecord) -> tuple[str, dict[str, bytes]]:
    """Return the digest of an intact archive, and its card's files."""
    content = storage.read_file(address).to_pybytes()
    manifest, files = opened(content)
    _require_same(manifest, record)
    return digest_of(content), {path: files[path] for path in _card_paths(record) if path in files}


def _require_same(manifest: Manifest, record: VersionRecord) -> None:
    if manifest.record != record:
        raise UntrustedModelError(
            f"the archive holds {manifest.record}, the ledger's record is {record}: it is of another version"
        )


def _card_paths(record: VersionRecord) -> dict[str, str]:
    """Return where the card's files lie in the archive, and where in the run."""
    return {f"card/{name}": f"{card_folder(record.version)}/{name}" for name in CARD_FILES}


def _found(client: MlflowClient, run_id: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    found = {path: find_artifact(client, run_id, artifact) for path, artifact in wanted.items()}
    return {path: content for path, content in found.items() if content is not None}


def _content(record: VersionRecord, *, client: MlflowClient, tracking_uri: str) -> bytes:
    run_id, gaps = record.run_id, list[str]()
    wanted = _card_paths(record) | {
        f"run/{name}": name for name in (JOB_FILE, ENVIRONMENT_FILE, RESULT_FILE, TUNING_FILE)
    }
    files = _model_files(record, tracking_uri=tracking_uri)
    files |= _found(client, run_id, wanted)
    missing = (artifact for path, artifact in wanted.items() if path not in files)
    gaps += (f"run {run_id} holds no {artifact}" for artifact in missing if artifact != TUNING_FILE)
    try:
        report = read_report(client, run_id, digest=record.evidence_digest)
        files["evidence/report.json"] = report.canonical_json().encode()
    except (EvaluationError, CorruptedDataError) as error:
        gaps.append(str(error))
    return sealed(Manifest(record=record, files={}, gaps=tuple(gaps)), files)


def _model_files(record: VersionRecord, *, tracking_uri: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="mlops-archive-") as folder:
        directory = download_model(record, tracking_uri=tracking_uri, folder=Path(folder))
        return {
            f"{MODEL_FOLDER}{path.relative_to(directory).as_posix()}": path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
