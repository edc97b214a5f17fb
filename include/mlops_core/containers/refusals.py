"""What an engine's refusal means, in our words."""

import contextlib
import re
from collections.abc import Iterator

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    DeclarationError,
    DiskFullError,
    DockerUnavailableError,
    GpuMissingError,
    ImageMissingError,
    ImageUnavailableError,
)

_NO_GPU = re.compile(
    r"could not select device driver|nvidia-container-cli|nvidia-container-runtime|unknown device"
    r"|unresolvable CDI devices|no supported GPU|could not find (?:the )?(?:requested )?gpu",
    re.IGNORECASE,
)
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_NOT_FOUND = re.compile(r"executable file not found|no such file or directory: unknown", re.IGNORECASE)
_NOT_EXECUTABLE = re.compile(r"permission denied: unknown|exec format error", re.IGNORECASE)
_NO_SUCH_REGISTRY = re.compile(r"no such host", re.IGNORECASE)
_REGISTRY_AWAY = re.compile(
    r"i/o timeout|deadline exceeded|handshake timeout|Client\.Timeout|timeout awaiting|toomanyrequests"
    r"|too many requests|status[ a-z:]*(?:429|5\d\d)\b|internal server error|bad gateway|service unavailable"
    r"|gateway time-?out|connection refused|connection reset|network is unreachable|no route to host"
    r"|temporary failure in name resolution|server misbehaving|: (?:unexpected )?EOF",
    re.IGNORECASE,
)
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|name unknown|denied|unauthorized|forbidden|does not exist"
    r"|no matching manifest|no basic auth credentials|no such image",
    re.IGNORECASE,
)


@contextlib.contextmanager
def translated(doing: str, *, pulling: str | None = None) -> Iterator[None]:
    """Turn what docker-py raises into an error of ours.

    Parameters
    ----------
    doing
        What was asked for, such as ``create mlops-x-0``.
    pulling
        The image, where it is pulled.

    Raises
    ------
    DockerUnavailableError
        If there was no answer.
    GpuMissingError, DiskFullError, ContainerFailedError, ContainerError
        If the answer was no.
    ImageMissingError, ImageUnavailableError
        If it was no to pulling.
    """
    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        raise (pull_refusal(said, image=pulling) if pulling else refusal(said, doing=doing)) from error
    except (DockerException, RequestException, OSError) as error:
        raise DockerUnavailableError(
            f"the Docker engine did not answer when asked to {doing}: {error}; is it running?"
        ) from error


def refusal(said: str, *, doing: str) -> Exception:
    """Return what an engine's words mean."""
    if _NO_SPACE.search(said):
        return DiskFullError(f"the engine has no space left to {doing}: {said}; remove images or volumes")
    if _NO_GPU.search(said):
        return GpuMissingError(
            f"the engine has not the GPUs to {doing}: {said}; run on a machine with them, install the NVIDIA "
            "container toolkit there, or allow cpu_fallback"
        )
    for pattern, code in ((_NOT_FOUND, 127), (_NOT_EXECUTABLE, 126)):
        if pattern.search(said):
            return ContainerFailedError(
                f"the engine could not {doing}: {said}; is the command in the image?", exit_code=code
            )
    return ContainerError(f"the engine refused to {doing}: {said}")


def pull_refusal(said: str, *, image: str) -> Exception:
    """Return what an engine's words mean when it could not pull an image."""
    if _NO_SPACE.search(said):
        return refusal(said, doing=f"pull {image}")
    if not _NO_SUCH_REGISTRY.search(said):
        if _REGISTRY_AWAY.search(said):
            return ImageUnavailableError(
                f"the engine has no image {image!r} and its registry did not answer: {said}; is it reachable?"
            )
        if not _NO_IMAGE.search(said):
            return refusal(said, doing=f"pull {image}")
    return ImageMissingError(
        f"the engine has no image {image!r} and could not pull it: {said}; build it, or name another"
    )


def sign_in_refusal(said: str, *, connection: str) -> Exception:
    """Return what an engine's words mean when it could not sign in to a registry."""
    if _REGISTRY_AWAY.search(said) and not _NO_SUCH_REGISTRY.search(said):
        return ImageUnavailableError(
            f"the registry of connection {connection!r} did not answer the engine: {said}; is it reachable?"
        )
    return DeclarationError(
        f"the registry refused the sign-in of connection {connection!r}: {said}; correct it"
    )
