"""What a stored model holds, whichever run stored it and when: equal fits have equal content digests.

The digest of a model's files names one stored model and guards it. This one compares two: MLflow writes into
each description whose run it was, and when.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from mlops_core.errors import UntrustedModelError

CONTENT_DIGEST_TAG = "mlops.content_digest"

_DESCRIPTION = "MLmodel"
# Which logged model of which run it is, and when it was written. The size counts those words too.
_OF_THE_RUN = frozenset(
    {"artifact_path", "model_id", "model_size_bytes", "model_uuid", "run_id", "utc_time_created"}
)
# MLflow writes it beside a model that is downloaded by its registered name.
_NOT_OF_THE_MODEL = frozenset({"registered_model_meta"})


def content_digest(directory: Path) -> str:
    """Sha256 over what a model's directory holds, apart from which run stored it and when.

    Raises
    ------
    UntrustedModelError
        If it has no description, or one that is no YAML.
    """
    return digest_of(file_contents(directory))


def digest_of(contents: Mapping[str, str]) -> str:
    """Sha256 over what ``file_contents`` gives."""
    lines = "".join(f"{name}\0{contents[name]}\n" for name in sorted(contents))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_contents(directory: Path) -> dict[str, str]:
    """Return the sha256 of each file by its relative path; the description without what its run wrote.

    Raises
    ------
    UntrustedModelError
        As ``content_digest``.
    """
    contents = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name not in _NOT_OF_THE_MODEL:
            content = path.read_bytes()
            content = _description(content, directory) if name == _DESCRIPTION else content
            contents[name] = hashlib.sha256(content).hexdigest()
    if _DESCRIPTION not in contents:
        raise UntrustedModelError(f"{directory} holds no {_DESCRIPTION}, so it is no stored model")
    return contents


def _description(content: bytes, directory: Path) -> bytes:
    try:
        described = yaml.safe_load(content)
        kept = {name: value for name, value in described.items() if name not in _OF_THE_RUN}
        return json.dumps(kept, sort_keys=True, allow_nan=False).encode()
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise UntrustedModelError(f"the {_DESCRIPTION} of {directory} describes no model: {error}") from error
