"""Make the pair of keys of this machine, and tell which keys are trusted."""

from mlops_core.cli.embedded.home import Home
from mlops_core.document import Document
from mlops_core.settings import Settings
from mlops_core.signing.keys import (
    generate_key_pair,
    key_id_of,
    public_files,
    read_private_key,
    read_public_key,
)


class TrustedKey(Document):
    """One public key."""

    key_id: str
    file: str
    signs: bool


class Keys(Document):
    """The keys as the settings name them; ``signing_key`` is None where versions are only verified."""

    signing_key: str | None
    trusted_folder: str
    trusted: tuple[TrustedKey, ...]


def make_keys() -> tuple[str, bool]:
    """Make the pair that the settings name, or adopt the private key that is there.

    Returns
    -------
    The key's id, and whether it is a new one.

    Raises
    ------
    SigningKeyError
        If what is there is no such key, or the places cannot be written.
    """
    settings, home = Settings.from_environment(), Home.from_environment()
    is_new = not settings.signing_key.exists()
    if settings.signing_key == home.signing_key:
        # A home with keys and without its marker would be taken for somebody's folder.
        home.prepare(made_by="up")
    return generate_key_pair(settings.signing_key, settings.trusted_keys), is_new


def known_keys() -> Keys:
    """Return the trusted keys, and which of them signs here.

    Raises
    ------
    SigningKeyError
        If a file is no such key, or the private one is open to others.
    """
    settings = Settings.from_environment()
    own = None
    if settings.signing_key.exists():
        own = key_id_of(read_private_key(settings.signing_key).public_key())
    found = ((key_id_of(read_public_key(path)), path) for path in public_files(settings.trusted_keys))
    return Keys(
        signing_key=None if own is None else str(settings.signing_key),
        trusted_folder=str(settings.trusted_keys),
        trusted=tuple(
            TrustedKey(key_id=key_id, file=path.name, signs=key_id == own) for key_id, path in found
        ),
    )
