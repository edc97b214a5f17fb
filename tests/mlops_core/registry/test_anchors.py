"""What is noted outside the ledger's database names an end that was cut off inside it."""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ledger_decisions import promote, reject
from mlops_core.errors import CorruptedDataError, SigningKeyError
from mlops_core.registry.anchors import AnchorDocument, note_heads, noted_heads
from mlops_core.registry.audit import verify
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from mlops_core.signing import Signature
from mlops_core.signing.signer import Signer
from mlops_core.signing.statement import statement_of
from mlops_core.signing.verifier import Verifier
from registry_examples import MODEL, Clock, recorded, version_record

Note = Callable[[], AnchorDocument]


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    return ReportStore(tmp_path / "reports")


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """A model with three events, the last one a rejection, and another model with one."""
    recorded(ledger, 1)
    promote(ledger, 1, expected=0)
    reject(ledger, 1, expected=1)
    recorded(ledger, 1, model="fares")
    return ledger


@pytest.fixture
def note(lived: Ledger, reports: ReportStore, clock: Clock) -> Note:
    return lambda: note_heads(lived, reports=reports, clock=clock)


@pytest.fixture
def keyless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key that signs nor one that is trusted."""
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "no.pem"))
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(tmp_path / "none"))


def file_of(reports: ReportStore, day: str = "2013-07-01") -> Path:
    return reports.root / "mlops" / "audit" / day / "heads.json"


def cut_off(ledger_url: str, *, model: str = MODEL) -> None:
    """Remove the rejection together with its event."""
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM ledger_approvals WHERE model = :m"), {"m": model})
        connection.execute(text("DELETE FROM ledger_events WHERE model = :m AND sequence = 3"), {"m": model})
    engine.dispose()


def test_the_heads_are_noted_with_their_instant_and_signed(
    note: Note, lived: Ledger, reports: ReportStore, clock: Clock
) -> None:
    noted = note()

    assert noted.at == clock.now
    assert noted.heads == verify(lived).heads
    assert noted.heads[MODEL] == (3, lived.events(MODEL)[-1].hash)
    assert noted.signature is not None
    assert noted.signature.key_id == Signer.from_settings().key_id
    assert AnchorDocument.model_validate_json(file_of(reports).read_bytes()) == noted
    assert noted_heads(reports) == noted


def test_nothing_is_noted_where_nobody_noted_anything(reports: ReportStore) -> None:
    assert noted_heads(reports) is None


def test_there_is_one_file_a_day_and_the_newest_counts(
    note: Note, lived: Ledger, reports: ReportStore, clock: Clock
) -> None:
    first = note()
    clock.forward(hours=23)
    recorded(lived, 2)
    second = note()
    clock.forward(hours=1)
    third = note()

    assert len({first.heads[MODEL], second.heads[MODEL]}) == 2
    assert AnchorDocument.model_validate_json(file_of(reports).read_bytes()) == second
    assert noted_heads(reports) == third
    assert sorted(path.parent.name for path in reports.root.rglob("heads.json")) == [
        "2013-07-01",
        "2013-07-02",
    ]


def test_a_rejection_that_was_cut_off_with_its_rows_is_found_by_what_was_noted(
    note: Note, lived: Ledger, reports: ReportStore, ledger_url: str
) -> None:
    note()
    cut_off(ledger_url)

    assert verify(lived).sound
    noted = noted_heads(reports)
    assert noted is not None
    assert [(found.model, found.problem) for found in verify(lived, noted=noted.heads).findings] == [
        (MODEL, "the anchor names event 3, but the last one is 2: the end was cut off")
    ]


def test_one_problem_is_told_once_though_two_anchors_find_it(lived: Ledger, ledger_url: str) -> None:
    heads = verify(lived).heads
    earlier = {MODEL: (2, "another hash")}
    cut_off(ledger_url)

    assert len(verify(lived, anchors=heads, noted=heads).findings) == 1
    assert [found.sequence for found in verify(lived, anchors=heads, noted=earlier).findings] == [2, 3]


def test_what_contradicts_the_ledger_is_never_replaced(
    note: Note, lived: Ledger, reports: ReportStore, ledger_url: str, clock: Clock
) -> None:
    before = note()
    cut_off(ledger_url)
    clock.forward(days=1)

    for _ in range(2):
        with pytest.raises(
            CorruptedDataError, match=rf"lost or changed events of {MODEL} .*nothing is noted"
        ):
            note()

    recorded(lived, 2)
    with pytest.raises(CorruptedDataError, match="lost or changed events"):
        note()
    assert noted_heads(reports) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": {}},
        {"heads": {MODEL: (1, "f" * 64)}},
        {"at": "2013-07-01T05:00:00Z"},
        {"signature": None},
        {"signature": Signature(key_id="0123456789abcdef", value="c2lnbmVk")},
    ],
)
def test_a_note_that_was_changed_is_refused_and_not_written_over(
    note: Note, reports: ReportStore, changes: dict[str, object]
) -> None:
    forged = AnchorDocument.model_validate({**note().model_dump(), **changes}).model_dump_json()
    file_of(reports).write_text(forged)

    with pytest.raises(CorruptedDataError, match="no trusted key vouches for what they say"):
        noted_heads(reports)
    with pytest.raises(CorruptedDataError, match="no trusted key vouches"):
        note()
    assert file_of(reports).read_text() == forged


def test_an_older_note_in_the_place_of_a_newer_one_is_refused(
    note: Note, reports: ReportStore, clock: Clock
) -> None:
    note()
    clock.forward(days=1)
    note()
    shutil.copy(file_of(reports), file_of(reports, "2013-07-02"))

    with pytest.raises(CorruptedDataError, match="an older note was put in the place of a newer one"):
        noted_heads(reports)


@pytest.mark.parametrize("content", ["", "{}", '{"at": "2013-07-01T00:00:00Z"}'])
def test_a_note_that_cannot_be_read_is_refused(note: Note, reports: ReportStore, content: str) -> None:
    note()
    file_of(reports).write_text(content)

    with pytest.raises(CorruptedDataError, match=r"heads\.json cannot be read"):
        noted_heads(reports)


@pytest.mark.usefixtures("keyless")
def test_without_any_key_a_note_is_unsigned_and_found_again(note: Note, reports: ReportStore) -> None:
    noted = note()

    assert noted.signature is None
    assert noted_heads(reports) == noted


def test_a_missing_key_is_an_error_where_keys_are_trusted(
    note: Note, reports: ReportStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "no.pem"))

    with pytest.raises(SigningKeyError, match="there is no signing key at"):
        note()
    assert noted_heads(reports) is None


def test_a_key_that_nobody_trusts_notes_nothing(
    note: Note, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(tmp_path / "none"))

    with pytest.raises(SigningKeyError, match="is not among the trusted keys"):
        note()


def test_a_signature_of_a_version_is_none_of_a_note_and_the_other_way_round(note: Note) -> None:
    signer, verifier, noted = Signer.from_settings(), Verifier.from_settings(), note()
    assert noted.signature is not None
    assert verifier.vouches(noted.signature, "ledger heads", noted.content())

    version = version_record(1)
    of_version = signer.sign(version)
    assert not verifier.vouches(of_version, "ledger heads", version.model_dump(exclude={"signature"}))
    disguised = signer.sign_content("ledger heads", version.model_dump(exclude={"signature"}))
    assert disguised != of_version
    assert not statement_of(version).startswith(b"airflow-mlops ledger heads")


def test_a_signature_that_is_no_base64_vouches_for_nothing(note: Note) -> None:
    noted = note()
    assert noted.signature is not None
    for value in ("no base64!", base64.b64encode(b"short").decode()):
        broken = noted.signature.model_copy(update={"value": value})
        assert not Verifier.from_settings().vouches(broken, "ledger heads", noted.content())
