"""Registered versions: nothing of one is loaded before its signature and its files are verified."""

from pathlib import Path

from mlops_core.models.loaded import LoadedModel
from mlops_core.models.stored import check_files, load_model
from mlops_core.models.trust import AS_THE_FILES_SAY
from mlops_core.signing import SignedVersion
from mlops_core.signing.verifier import Verifier


def load_version(
    version: SignedVersion,
    *,
    tracking_uri: str,
    verifier: Verifier | None = None,
    cache: Path | None = None,
) -> LoadedModel:
    """Load a registered version after its signature and its files are verified.

    Parameters
    ----------
    version
        The ledger's record of it.
    verifier
        Holds the trusted keys; those in the folder of the settings, as they are now, if None.
    cache
        See ``load_model``.

    Raises
    ------
    UntrustedModelError
        If no trusted key signed this record, or its files differ from the digest, are of a refused format, or
        are gone.
    SigningKeyError
        If the folder of trusted keys holds something else.
    RegistryUnavailableError
        If the server does not answer.
    """
    (verifier or Verifier.from_settings()).verify(version)
    # The signature covers these files, with the lists of types and packages in them. A version is signed only
    # after evaluation has refused what names or holds more than the declaration, or a person vouches for it.
    return load_model(version, tracking_uri=tracking_uri, trusted=AS_THE_FILES_SAY, cache=cache)


def check_version(version: SignedVersion, *, tracking_uri: str, verifier: Verifier | None = None) -> None:
    """Verify a version's signature and, by downloading them, its files; nothing is loaded.

    Raises
    ------
    UntrustedModelError, SigningKeyError, RegistryUnavailableError
        As ``load_version`` does.
    """
    (verifier or Verifier.from_settings()).verify(version)
    check_files(version, tracking_uri=tracking_uri)
