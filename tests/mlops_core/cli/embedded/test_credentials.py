import base64
from pathlib import Path

import pytest

from mlops_core.cli.embedded.credentials import (
    ensure_keys,
    ensure_password,
    ensure_secrets,
    read_password,
)
from mlops_core.cli.embedded.home import Home, is_private
from mlops_core.errors import PlatformError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare(made_by="up")
    return home


def test_secrets_are_made_once_and_kept_private(home: Home) -> None:
    first = ensure_secrets(home)

    assert ensure_secrets(home) == first
    assert is_private(home.secrets_file)
    assert len(first.jwt_secret.get_secret_value()) >= 64
    assert len(base64.urlsafe_b64decode(first.fernet_key.get_secret_value())) == 32


def test_two_homes_have_different_secrets(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.prepare(made_by="up")

    assert ensure_secrets(other) != ensure_secrets(home)
    assert ensure_password(other) != ensure_password(home)


def test_a_file_that_others_may_read_is_closed(home: Home) -> None:
    ensure_secrets(home)
    home.secrets_file.chmod(0o644)

    ensure_secrets(home)

    assert is_private(home.secrets_file)


def test_secrets_do_not_show_when_printed(home: Home) -> None:
    keys = ensure_secrets(home)

    assert keys.jwt_secret.get_secret_value() not in repr(keys)


def test_a_broken_secrets_file_is_refused_without_showing_it(home: Home) -> None:
    home.secrets_file.write_text('{"jwt_secret": "hush"}')

    with pytest.raises(PlatformError, match="delete that file") as refusal:
        ensure_secrets(home)
    assert "hush" not in str(refusal.value)


def test_the_password_is_made_once_and_read_back(home: Home) -> None:
    password = ensure_password(home)

    assert ensure_password(home) == read_password(home) == password
    assert is_private(home.passwords_file)


def test_a_missing_password_file_says_what_to_do(home: Home) -> None:
    with pytest.raises(PlatformError, match="holds no password for 'admin'"):
        read_password(home)


def test_the_keys_that_sign_versions_are_made_once_and_kept_private(home: Home, tmp_path: Path) -> None:
    key_id = ensure_keys(home)

    assert ensure_keys(home) == key_id
    assert is_private(home.signing_key)
    assert is_private(home.signing_key.parent)
    assert [path.name for path in home.trusted_keys.iterdir()] == [f"{key_id}.pub.pem"]
    other = Home(tmp_path / "other")
    other.prepare(made_by="up")
    assert ensure_keys(other) != key_id


def test_a_key_that_is_no_longer_trusted_stays_so_at_the_next_start(home: Home) -> None:
    key_id = ensure_keys(home)
    (home.trusted_keys / f"{key_id}.pub.pem").unlink()

    assert ensure_keys(home) == key_id
    assert list(home.trusted_keys.iterdir()) == []
