"""Ed25519 keys in files: a private one that signs, and a folder of public ones that are trusted."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mlops_core.errors import SigningKeyError

PUBLIC_SUFFIX = ".pub.pem"

_KEY_ID_DIGITS = 16
_READABLE = 0o644
_SET_PRIVATE = "make a pair with `mlops keys make`, or name its file in MLOPS_SIGNING_KEY"


def key_id_of(key: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the SHA-256 of the key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:_KEY_ID_DIGITS]


def generate_key_pair(private_path: Path, public_folder: Path, *, trust_again: bool = True) -> str:
    """Make a pair of keys, whose public one is trusted, or adopt the private key that is there.

    A call that was killed is completed by the next one; of several at once one makes the key, all adopt it.

    Parameters
    ----------
    trust_again
        Whether the public key of a private one that is there is trusted anew. False for what runs at every
        start: somebody may have taken that key out.

    Returns
    -------
    The key's id.

    Raises
    ------
    SigningKeyError
        If there is something else at that path, or it cannot be written.
    """
    try:
        if not private_path.exists():
            private_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_pair(private_path, public_folder)
        public = read_private_key(private_path).public_key()
        if trust_again:
            _trust(public, public_folder)
    except OSError as error:
        raise SigningKeyError(
            f"cannot write {error.filename or private_path}: {error.strerror}; set MLOPS_SIGNING_KEY and "
            "MLOPS_TRUSTED_KEYS to places that you may write"
        ) from error
    return key_id_of(public)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the key that signs.

    Raises
    ------
    SigningKeyError
        If there is none, others than its owner may read or change it, or it is of another kind.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError as error:
        raise SigningKeyError(f"there is no signing key at {path}; {_SET_PRIVATE}") from error
    except OSError as error:
        raise SigningKeyError(f"cannot read the signing key {path}: {error.strerror}") from error
    if mode & 0o077:
        raise SigningKeyError(
            f"the signing key {path} has the mode {mode:04o}, so others than its owner may use it; close it "
            f"with: chmod 600 {path} - and make a new pair if somebody may have read it"
        )
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The cause is left out: nothing of a private key belongs in a log.
        raise SigningKeyError(
            f"{path} holds no private key in PEM without a password ({type(error).__name__}); {_SET_PRIVATE}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path} holds a key that is not Ed25519; {_SET_PRIVATE}")
    return key


def read_public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Read every ``*.pub.pem`` of a folder, by key id; none where there is no folder.

    Raises
    ------
    SigningKeyError
        If a file of that name is no Ed25519 public key.
    """
    keys = (read_public_key(path) for path in public_files(folder))
    return {key_id_of(key): key for key in keys}


def public_files(folder: Path) -> list[Path]:
    """Return the files of a folder's public keys, by name."""
    return sorted(folder.glob(f"*{PUBLIC_SUFFIX}"))


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read one public key.

    Raises
    ------
    SigningKeyError
        If the file is none.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(
            f"{path} holds no public key in PEM: {error}; take it out of the folder of trusted keys"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError(
            f"{path} holds a public key that is not Ed25519; take it out of the folder of trusted keys"
        )
    return key


def _make_pair(private_path: Path, public_folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    # First, so that a private key that is there has been trusted once, wherever a call was killed.
    trusted = _trust(key.public_key(), public_folder)
    if not _write_once(private_path, _private_pem(key)):
        trusted.unlink(missing_ok=True)


def _trust(public: Ed25519PublicKey, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    trusted = folder / f"{key_id_of(public)}{PUBLIC_SUFFIX}"
    if not trusted.exists():
        _write_once(trusted, _public_pem(public), mode=_READABLE)
    return trusted


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _write_once(path: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Write a file whole; leave one alone that another process has put there meanwhile, and return False."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            # A key that is lost with the machine's power leaves versions that nobody can sign again.
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        try:
            path.hardlink_to(name)
        except FileExistsError:
            return False
    finally:
        Path(name).unlink()
    return True
