"""A version is believed if a trusted key signed exactly what its record says."""

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mlops_core.errors import SigningKeyError, UntrustedModelError
from mlops_core.registry.records import VersionRecord
from mlops_core.signing import Signature
from mlops_core.signing.keys import generate_key_pair, read_private_key
from mlops_core.signing.signer import Signer
from mlops_core.signing.verifier import Verifier
from registry_examples import version_record


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return tmp_path / "trusted"


@pytest.fixture
def signer(tmp_path: Path, trusted: Path) -> Signer:
    generate_key_pair(tmp_path / "signing.pem", trusted)
    return Signer(read_private_key(tmp_path / "signing.pem"))


def signed(number: int, signer: Signer, **changes: Any) -> VersionRecord:
    record = version_record(number, **changes)
    return record.model_copy(update={"signature": signer.sign(record)})


def test_a_version_that_a_trusted_key_signed_is_believed(signer: Signer, trusted: Path) -> None:
    Verifier.from_folder(trusted).verify(signed(1, signer))
    Verifier.from_folder(trusted).verify(signed(1, signer, evidence_digest=None))


def test_the_same_version_gets_the_same_signature_again(signer: Signer) -> None:
    assert signer.sign(version_record(1)) == signer.sign(version_record(1))


def test_a_signature_survives_its_way_as_json(signer: Signer, trusted: Path) -> None:
    record = VersionRecord.model_validate_json(signed(1, signer).model_dump_json())

    Verifier.from_folder(trusted).verify(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"version": 2},
        {"digest": "f" * 64},
        {"uri": "models:/m-other"},
        {"run_id": "other"},
        {"evidence_digest": "f" * 64},
        {"evidence_digest": None},
    ],
    ids=str,
)
def test_a_record_that_was_changed_is_refused(
    signer: Signer, trusted: Path, changes: dict[str, object]
) -> None:
    record = signed(1, signer).model_copy(update=changes)

    with pytest.raises(UntrustedModelError, match="does not fit its signature by the key"):
        Verifier.from_folder(trusted).verify(record)


def test_the_signature_of_another_version_is_refused(signer: Signer, trusted: Path) -> None:
    old = signed(1, signer)
    newer = version_record(2).model_copy(update={"signature": old.signature})

    with pytest.raises(UntrustedModelError, match="version 2 of 'flight_delay' does not fit its signature"):
        Verifier.from_folder(trusted).verify(newer)


def test_a_signature_of_the_same_bytes_for_another_purpose_is_refused(
    tmp_path: Path, signer: Signer, trusted: Path
) -> None:
    record = signed(1, signer)
    key = read_private_key(tmp_path / "signing.pem")
    value = key.sign(b'{"digest":"digest-1"}')
    forged = Signature(key_id=signer.key_id, value=base64.b64encode(value).decode())

    with pytest.raises(UntrustedModelError, match="does not fit"):
        Verifier.from_folder(trusted).verify(record.model_copy(update={"signature": forged}))


def test_an_unsigned_version_is_refused(signer: Signer, trusted: Path) -> None:
    del signer
    with pytest.raises(UntrustedModelError, match="version 1 of 'flight_delay' is not signed"):
        Verifier.from_folder(trusted).verify(version_record(1))


def test_a_key_that_is_not_trusted_is_refused_by_its_id(signer: Signer, trusted: Path) -> None:
    stranger = Signer(Ed25519PrivateKey.generate())

    with pytest.raises(UntrustedModelError, match=f"{stranger.key_id}, which is not .* {signer.key_id} in"):
        Verifier.from_folder(trusted).verify(signed(1, stranger))


def test_a_stranger_who_names_a_trusted_key_is_refused(signer: Signer, trusted: Path) -> None:
    forged = signed(1, Signer(Ed25519PrivateKey.generate()))
    assert forged.signature is not None
    claimed = forged.signature.model_copy(update={"key_id": signer.key_id})

    with pytest.raises(UntrustedModelError, match="does not fit"):
        Verifier.from_folder(trusted).verify(forged.model_copy(update={"signature": claimed}))


@pytest.mark.parametrize("value", ["not base64!", "AAAA", "é"])
def test_a_signature_that_is_none_is_refused(signer: Signer, trusted: Path, value: str) -> None:
    broken = Signature(key_id=signer.key_id, value=value)

    with pytest.raises(UntrustedModelError, match="does not fit"):
        Verifier.from_folder(trusted).verify(version_record(1, signature=broken))


def test_one_changed_bit_of_a_signature_is_one_too_many(signer: Signer, trusted: Path) -> None:
    record, verifier = signed(1, signer), Verifier.from_folder(trusted)
    assert record.signature is not None
    value = base64.b64decode(record.signature.value)
    refused = 0
    for bit in range(8 * len(value)):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        broken = Signature(key_id=signer.key_id, value=base64.b64encode(changed).decode())
        with pytest.raises(UntrustedModelError, match="does not fit"):
            verifier.verify(record.model_copy(update={"signature": broken}))
        refused += 1

    assert refused == 512


def test_without_any_trusted_key_nothing_is_believed(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModelError, match=r"nowhere holds no \*\.pub\.pem; .* MLOPS_TRUSTED_KEYS"):
        Verifier.from_folder(tmp_path / "nowhere").verify(signed(1, signer))


def test_former_keys_are_believed_for_as_long_as_they_are_trusted(
    tmp_path: Path, signer: Signer, trusted: Path
) -> None:
    old = signed(1, signer)
    (tmp_path / "signing.pem").unlink()
    generate_key_pair(tmp_path / "signing.pem", trusted)
    new = signed(2, Signer(read_private_key(tmp_path / "signing.pem")))

    for record in (old, new):
        Verifier.from_folder(trusted).verify(record)
    (trusted / f"{signer.key_id}.pub.pem").unlink()
    Verifier.from_folder(trusted).verify(new)
    with pytest.raises(UntrustedModelError, match="is not trusted"):
        Verifier.from_folder(trusted).verify(old)


def test_the_settings_name_the_keys(signing_keys: Path) -> None:
    signer = Signer.from_settings()

    assert (signing_keys / "trusted" / f"{signer.key_id}.pub.pem").is_file()
    Verifier.from_settings().verify(signed(1, signer))


def test_a_key_that_nobody_trusts_does_not_sign(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "signing.pem"))

    with pytest.raises(SigningKeyError, match=f"the signing key {signer.key_id} is not among the trusted"):
        Signer.from_settings()


def test_the_keys_lie_in_the_home_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_SIGNING_KEY")
    monkeypatch.delenv("MLOPS_TRUSTED_KEYS")
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    key_id = generate_key_pair(tmp_path / "keys" / "signing.pem", tmp_path / "keys" / "trusted")

    assert Signer.from_settings().key_id == key_id
