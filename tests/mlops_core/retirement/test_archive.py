"""Archives: the same bytes for the same files, and nothing is believed that was changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_core.errors import ArchiveMissingError, CorruptedDataError, UntrustedModelError
from mlops_core.registry.records import Retirement, VersionRecord
from mlops_core.retirement.archive import check_archive
from mlops_core.retirement.pack import digest_of, opened, pack, sealed, unpack
from mlops_core.signing.verifier import Verifier
from retirement_examples import Estate


@pytest.fixture
def kept(estate: Estate) -> tuple[Estate, Retirement, VersionRecord]:
    estate.version(1)
    estate.version(2)
    return estate, estate.retire(1), estate.records.ledger.versions(estate.model)[0]


Kept = tuple[Estate, Retirement, VersionRecord]


def test_the_same_files_make_the_same_bytes_in_any_order() -> None:
    files = {"b": b"2", "a/c": b"1"}

    assert pack(files) == pack(dict(reversed(files.items())))
    assert unpack(pack(files)) == files


@pytest.mark.integration
def test_two_archives_of_one_version_are_the_same_bytes(kept: Kept) -> None:
    estate, retirement, _ = kept
    content = (estate.folder / retirement.archive).read_bytes()

    manifest, files = opened(content)

    assert sealed(manifest.model_copy(update={"files": {}}), files) == content
    assert retirement.archive_digest == digest_of(content)


def _flip(content: bytes, _: VersionRecord) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]


def _add(content: bytes, _: VersionRecord) -> bytes:
    return pack({**unpack(content), "model/extra": b"x"})


def _remove(content: bytes, _: VersionRecord) -> bytes:
    return pack({path: file for path, file in unpack(content).items() if path != "model/MLmodel"})


def _other_model(content: bytes, _: VersionRecord) -> bytes:
    manifest, files = opened(content)
    return sealed(manifest, {**files, "model/MLmodel": b"another"})


def _other_record(content: bytes, record: VersionRecord) -> bytes:
    manifest, files = opened(content)
    return sealed(manifest.model_copy(update={"record": record.model_copy(update={"version": 7})}), files)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_flip, CorruptedDataError),
        (_add, CorruptedDataError),
        (_remove, CorruptedDataError),
        (_other_model, UntrustedModelError),
        (_other_record, UntrustedModelError),
    ],
)
def test_an_archive_that_was_changed_is_refused_even_if_the_ledger_were_changed_too(
    kept: Kept, change: Callable[[bytes, VersionRecord], bytes], error: type[Exception]
) -> None:
    estate, retirement, record = kept
    path = estate.folder / retirement.archive
    changed = change(path.read_bytes(), record)
    path.write_bytes(changed)

    with pytest.raises(CorruptedDataError, match="the ledger says"):
        check_archive(retirement, record=record, folder=str(estate.folder))
    with pytest.raises(error):
        check_archive(
            retirement.model_copy(update={"archive_digest": digest_of(changed)}),
            record=record,
            folder=str(estate.folder),
        )


@pytest.mark.integration
def test_a_version_that_no_trusted_key_vouches_for_is_not_restored(kept: Kept, tmp_path: Path) -> None:
    estate, retirement, record = kept

    with pytest.raises(UntrustedModelError):
        check_archive(
            retirement,
            record=record,
            folder=str(estate.folder),
            verifier=Verifier({}, folder=tmp_path),
        )


@pytest.mark.integration
def test_an_archive_that_is_gone_says_where_it_was_looked_for(kept: Kept) -> None:
    estate, retirement, record = kept
    (estate.folder / retirement.archive).unlink()

    with pytest.raises(ArchiveMissingError, match="MLOPS_ARCHIVE_PATH"):
        check_archive(retirement, record=record, folder=str(estate.folder))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\x"])
def test_an_archive_that_leads_out_of_itself_is_refused(name: str) -> None:
    with pytest.raises(CorruptedDataError, match="no plain file"):
        unpack(pack({name: b"x"}))
