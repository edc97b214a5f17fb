"""Signing a model version with the private key."""

import base64
from collections.abc import Mapping
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mlops_core.errors import SigningKeyError
from mlops_core.settings import Settings
from mlops_core.signing.keys import key_id_of, read_private_key, read_public_keys
from mlops_core.signing.statement import OtherPurpose, Signature, Version, content_for, statement_of


class Signer:
    """Holds the private key. Ed25519 has no chance in it: the same version gets the same signature again."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_key())

    @classmethod
    def from_settings(cls) -> Self:
        """Read the key that ``MLOPS_SIGNING_KEY`` names.

        Raises
        ------
        SigningKeyError
            If it is missing, unfit, or not trusted: nobody would load what it signs.
        """
        settings = Settings.from_environment()
        signer = cls(read_private_key(settings.signing_key))
        if signer.key_id not in read_public_keys(settings.trusted_keys):
            raise SigningKeyError(
                f"the signing key {signer.key_id} is not among the trusted keys in {settings.trusted_keys}, "
                "so what it signs would never be loaded; put its public key there with: mlops keys make"
            )
        return signer

    def sign(self, version: Version) -> Signature:
        """Vouch for a version."""
        return self._signature(statement_of(version))

    def sign_content(self, purpose: OtherPurpose, content: Mapping[str, object]) -> Signature:
        """Vouch for something that is no version; ``content`` is JSON."""
        return self._signature(content_for(purpose, content))

    def _signature(self, text: bytes) -> Signature:
        value = self._key.sign(text)
        return Signature(key_id=self.key_id, value=base64.b64encode(value).decode("ascii"))
