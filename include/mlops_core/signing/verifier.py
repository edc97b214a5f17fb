"""Verifying a model version's signature with the public keys that are trusted."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mlops_core.errors import UntrustedModelError
from mlops_core.settings import Settings
from mlops_core.signing.keys import PUBLIC_SUFFIX, read_public_keys
from mlops_core.signing.statement import OtherPurpose, Signature, SignedVersion, content_for, statement_of


class Verifier:
    """Holds public keys by their id: one that signs now, and former ones for as long as they are trusted.

    Parameters
    ----------
    folder
        Where they come from, for messages.
    """

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], *, folder: Path) -> None:
        self._keys = dict(keys)
        self._folder = folder

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read every public key of a folder.

        Raises
        ------
        SigningKeyError
            If one of its files is no such key.
        """
        return cls(read_public_keys(folder), folder=folder)

    @classmethod
    def from_settings(cls) -> Self:
        """Read the folder that ``MLOPS_TRUSTED_KEYS`` names, as it is now."""
        return cls.from_folder(Settings.from_environment().trusted_keys)

    def trusts(self, key_id: str) -> bool:
        """Whether a key of that id is trusted; it says nothing of a signature."""
        return key_id in self._keys

    @property
    def has_keys(self) -> bool:
        """Whether any key is trusted."""
        return bool(self._keys)

    def vouches(self, signature: Signature, purpose: OtherPurpose, content: Mapping[str, object]) -> bool:
        """Whether a trusted key signed this content for this purpose, and nothing else."""
        key = self._keys.get(signature.key_id)
        if key is None:
            return False
        try:
            key.verify(base64.b64decode(signature.value, validate=True), content_for(purpose, content))
        except (InvalidSignature, ValueError):
            return False
        return True

    def verify(self, version: SignedVersion) -> None:
        """Return if a trusted key vouches for everything that the version's record says.

        Raises
        ------
        UntrustedModelError
            If it is not signed, by no trusted key, or if the signature is of something else.
        """
        named = f"version {version.version} of {version.model!r}"
        if version.signature is None:
            raise UntrustedModelError(
                f"{named} is not signed, so it is never loaded; train and register it again, or vouch for it "
                f"with: {_sign(version)}"
            )
        signature = version.signature
        if not self._keys:
            raise UntrustedModelError(
                f"{named} cannot be verified: {self._folder} holds no *{PUBLIC_SUFFIX}; put the public key "
                "of the signer there, or name its folder in MLOPS_TRUSTED_KEYS"
            )
        key = self._keys.get(signature.key_id)
        if key is None:
            raise UntrustedModelError(
                f"{named} is signed by the key {signature.key_id}, which is not trusted; trusted are "
                f"{', '.join(sorted(self._keys))} in {self._folder}. If that key is yours, put its public "
                f"key there; if it is no longer, vouch for the version anew with: {_sign(version)}"
            )
        try:
            key.verify(base64.b64decode(signature.value, validate=True), statement_of(version))
        except (InvalidSignature, ValueError) as error:
            raise UntrustedModelError(
                f"{named} does not fit its signature by the key {signature.key_id}: the record of its "
                "files, run, address or evidence was changed, or the signature is another version's; nothing "
                "of it was loaded"
            ) from error


def _sign(version: SignedVersion) -> str:
    return f"mlops keys sign {version.model} {version.version} --reason WHY"
