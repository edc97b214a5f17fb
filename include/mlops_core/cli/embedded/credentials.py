"""Generated secrets of one home: made once, kept in files that only their owner can read."""

import base64
import json
import secrets

from pydantic import SecretStr, ValidationError

from mlops_core.atomic import write_atomically
from mlops_core.cli.embedded.home import Home, is_private
from mlops_core.document import Document
from mlops_core.errors import PlatformError

USER = "admin"
"""The one user of the embedded Airflow."""


class Secrets(Document):
    """Keys that Airflow's processes must share."""

    jwt_secret: SecretStr
    fernet_key: SecretStr
    api_secret_key: SecretStr


def ensure_secrets(home: Home) -> Secrets:
    """Return the home's keys, made when they are not there yet.

    Raises
    ------
    PlatformError
        If the file is there and cannot be understood.
    """
    path = home.secrets_file
    if not path.exists():
        generated = {
            "jwt_secret": secrets.token_urlsafe(64),
            # Fernet takes 32 random bytes in URL-safe base64.
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api_secret_key": secrets.token_urlsafe(32),
        }
        write_atomically(path, json.dumps(generated))
    if not is_private(path):
        path.chmod(0o600)
    try:
        return Secrets.model_validate_json(path.read_bytes())
    except ValidationError as error:
        # The cause is left out: it would print what the file holds.
        raise PlatformError(
            f"{path} holds no keys ({error.error_count()} problems); "
            "end the platform, delete that file and start it again"
        ) from None


def ensure_keys(home: Home) -> str:
    """Return the id of the key that signs this home's model versions, made when it is not there yet.

    A public key that somebody has taken out stays out; ``mlops keys make`` puts it back.

    Raises
    ------
    SigningKeyError
        If what is there is no such key, or others may read it.
    """
    from mlops_core.signing.keys import generate_key_pair

    return generate_key_pair(home.signing_key, home.trusted_keys, trust_again=False)


def ensure_password(home: Home) -> str:
    """Return the password of ``USER``, made when it is not there yet.

    The file has the form of Airflow's simple auth manager, which reads it at start.
    """
    path = home.passwords_file
    if not path.exists():
        write_atomically(path, json.dumps({USER: secrets.token_urlsafe(16)}) + "\n")
    if not is_private(path):
        path.chmod(0o600)
    return read_password(home)


def read_password(home: Home) -> str:
    """Return the password of ``USER``.

    Raises
    ------
    PlatformError
        If the file is missing or cannot be understood.
    """
    try:
        return str(json.loads(home.passwords_file.read_bytes())[USER])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            f"{home.passwords_file} holds no password for {USER!r} ({type(error).__name__}); "
            "end the platform, delete that file and start it again"
        ) from None
