"""The pair of keys of one test session, and versions signed with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_core.registry.records import VersionRecord


@pytest.fixture(scope="session", autouse=True)
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A pair of keys that this process, and every process that a test starts, signs and verifies with."""
    from mlops_core.signing.keys import generate_key_pair

    folder = tmp_path_factory.mktemp("keys")
    private, trusted = folder / "signing.pem", folder / "trusted"
    generate_key_pair(private, trusted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_SIGNING_KEY", str(private))
        patch.setenv("MLOPS_TRUSTED_KEYS", str(trusted))
        yield folder


def signed(record: VersionRecord) -> VersionRecord:
    """Return the version with a signature by the session's key."""
    from mlops_core.signing.signer import Signer

    return record.model_copy(update={"signature": Signer.from_settings().sign(record)})
