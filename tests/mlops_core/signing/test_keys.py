"""Keys are made once, kept private, and refused in words where they are unfit."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mlops_core.errors import SigningKeyError
from mlops_core.signing import keys
from mlops_core.signing.keys import generate_key_pair, key_id_of, read_private_key, read_public_keys


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "signing.pem"


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "trusted"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pair_is_private_where_it_must_be_and_trusted_by_its_id(private: Path, trusted: Path) -> None:
    key_id = generate_key_pair(private, trusted)

    assert mode(private) == 0o600
    assert mode(private.parent) == 0o700
    assert [path.name for path in trusted.iterdir()] == [f"{key_id}.pub.pem"]
    assert mode(trusted / f"{key_id}.pub.pem") == 0o644
    assert list(read_public_keys(trusted)) == [key_id]
    assert key_id_of(read_private_key(private).public_key()) == key_id
    assert len(key_id) == 16
    assert sorted(path.name for path in private.parent.iterdir()) == ["signing.pem", "trusted"]


def test_a_pair_that_is_there_is_adopted(private: Path, trusted: Path) -> None:
    first = generate_key_pair(private, trusted)
    content = private.read_bytes()

    assert generate_key_pair(private, trusted) == first
    assert private.read_bytes() == content


@pytest.mark.parametrize("trust_again", [True, False])
def test_a_call_that_was_killed_between_the_two_files_is_completed(
    private: Path, trusted: Path, monkeypatch: pytest.MonkeyPatch, trust_again: bool
) -> None:
    write, written = keys._write_once, []

    def killed(path: Path, content: bytes, **options: int) -> bool:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        return write(path, content, **options)

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_write_once", killed)
        with pytest.raises(KeyboardInterrupt):
            generate_key_pair(private, trusted, trust_again=trust_again)

    assert generate_key_pair(private, trusted, trust_again=trust_again) in read_public_keys(trusted)


def test_a_public_key_that_was_taken_out_comes_back_when_asked_for_alone(
    private: Path, trusted: Path
) -> None:
    key_id = generate_key_pair(private, trusted, trust_again=False)
    assert list(read_public_keys(trusted)) == [key_id]
    (trusted / f"{key_id}.pub.pem").unlink()

    assert generate_key_pair(private, trusted, trust_again=False) == key_id
    assert read_public_keys(trusted) == {}
    assert generate_key_pair(private, trusted) == key_id
    assert list(read_public_keys(trusted)) == [key_id]


def test_a_new_pair_is_trusted_beside_the_former_one(private: Path, trusted: Path) -> None:
    former = generate_key_pair(private, trusted)
    private.unlink()

    new = generate_key_pair(private, trusted)

    assert set(read_public_keys(trusted)) == {former, new}
    assert former != new


def test_several_at_once_agree_on_one_key(
    private: Path, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = threading.Barrier(4)
    generate = Ed25519PrivateKey.generate

    def together() -> Ed25519PrivateKey:
        everybody.wait(timeout=30)
        return generate()

    monkeypatch.setattr(keys.Ed25519PrivateKey, "generate", together)
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(generate_key_pair(private, trusted))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert set(made) == set(read_public_keys(trusted))
    assert len(set(made)) == 1


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o644, 0o620, 0o601])
def test_a_private_key_that_others_may_use_is_refused(private: Path, trusted: Path, open_to: int) -> None:
    generate_key_pair(private, trusted)
    private.chmod(open_to)

    with pytest.raises(SigningKeyError, match=f"has the mode {open_to:04o}, .* chmod 600"):
        read_private_key(private)


def test_a_private_key_that_only_its_owner_may_read_is_taken(private: Path, trusted: Path) -> None:
    generate_key_pair(private, trusted)
    private.chmod(0o400)

    assert isinstance(read_private_key(private), Ed25519PrivateKey)


def test_a_missing_private_key_is_said_with_the_way_out(private: Path) -> None:
    with pytest.raises(SigningKeyError, match=r"no signing key at .*; make a pair with `mlops keys make`"):
        read_private_key(private)


def other_private(kind: str) -> bytes:
    if kind == "text":
        return b"not a key\n"
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    key: Ed25519PrivateKey | rsa.RSAPrivateKey | x25519.X25519PrivateKey = Ed25519PrivateKey.generate()
    if kind == "password":
        encryption = serialization.BestAvailableEncryption(b"password")
    elif kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif kind == "x25519":
        key = x25519.X25519PrivateKey.generate()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", "holds no private key in PEM"),
        ("password", "without a password"),
        ("rsa", "is not Ed25519"),
        ("x25519", "is not Ed25519"),
    ],
)
def test_another_kind_of_key_is_refused_and_not_shown(private: Path, kind: str, words: str) -> None:
    private.parent.mkdir()
    content = other_private(kind)
    private.write_bytes(content)
    private.chmod(0o600)

    with pytest.raises(SigningKeyError, match=words) as refused:
        read_private_key(private)
    assert content.decode().splitlines()[0] not in str(refused.value)


def test_what_lies_at_the_private_keys_place_is_never_replaced(private: Path, trusted: Path) -> None:
    private.parent.mkdir()
    private.write_bytes(b"somebody's\n")
    private.chmod(0o600)

    with pytest.raises(SigningKeyError):
        generate_key_pair(private, trusted)
    assert private.read_bytes() == b"somebody's\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SigningKeyError, match="set MLOPS_SIGNING_KEY"):
        generate_key_pair(tmp_path / "file" / "signing.pem", tmp_path / "trusted")


def test_a_folder_that_is_not_there_holds_no_key(tmp_path: Path) -> None:
    assert read_public_keys(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("kind", ["text", "rsa", "private"])
def test_a_public_file_that_is_no_such_key_is_named(trusted: Path, kind: str) -> None:
    trusted.mkdir(parents=True)
    content = other_private("ed25519" if kind == "private" else kind)
    if kind == "rsa":
        public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
        content = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    (trusted / "strange.pub.pem").write_bytes(content)

    with pytest.raises(SigningKeyError, match=r"strange\.pub\.pem holds .*; take it out"):
        read_public_keys(trusted)


def test_other_files_beside_public_keys_do_not_matter(private: Path, trusted: Path) -> None:
    key_id = generate_key_pair(private, trusted)
    (trusted / "README").write_text("notes")

    assert list(read_public_keys(trusted)) == [key_id]
