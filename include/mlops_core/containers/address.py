"""Where a Docker engine is, and a client for it."""

import os
import socket
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import StringConstraints, model_validator

from mlops_core.declaration import PATTERN_WORDS, Declaration
from mlops_core.errors import DockerUnavailableError

if TYPE_CHECKING:
    import docker
    from docker.tls import TLSConfig

_UNIX = "unix://"
LOCAL_SOCKET = "unix:///var/run/docker.sock"
ANSWER_SECONDS = 60
"""How long the engine may take for one answer. Starting containers on a busy disk is the slowest."""

_URL = r"^(unix:///|tcp://|http://|https://)\S+$"
PATTERN_WORDS[_URL] = "it should be unix:///path/to/docker.sock, tcp://host:port or https://host:port"


class EngineAddress(Declaration):
    """Address of an engine; holds no secrets, so it may be stored with a trigger.

    Parameters
    ----------
    tls_folder
        Folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, as in ``DOCKER_CERT_PATH``; no TLS if None.
    """

    url: Annotated[str, StringConstraints(pattern=_URL, max_length=1024)] = LOCAL_SOCKET
    tls_folder: str | None = None

    @model_validator(mode="after")
    def _tls_needs_a_host(self) -> Self:
        if self.tls_folder is not None and self.url.startswith("unix://"):
            raise ValueError(f"tls_folder: a socket has no TLS (url is {self.url!r})")
        return self

    @classmethod
    def from_environment(cls, url: str | None = None) -> Self:
        """Read ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``, as Docker's client does.

        Parameters
        ----------
        url
            Takes the place of ``DOCKER_HOST``; the other two hold for it as well.
        """
        url = url or os.environ.get("DOCKER_HOST") or LOCAL_SOCKET
        secured = bool(os.environ.get("DOCKER_TLS_VERIFY")) and not url.startswith("unix://")
        folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")  # noqa: PTH111  as docker
        return cls(url=url, tls_folder=folder if secured else None)

    def tls_config(self) -> "TLSConfig | bool":
        """Return what docker-py calls ``tls``."""
        if self.tls_folder is None:
            return False
        from docker.tls import TLSConfig

        folder = self.tls_folder
        return TLSConfig(
            client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem"), ca_cert=f"{folder}/ca.pem", verify=True
        )


def connect(address: EngineAddress) -> "docker.APIClient":
    """Return a client of the engine.

    Raises
    ------
    DockerUnavailableError
        If it does not answer.
    """
    import docker
    from docker.errors import DockerException

    try:
        _try_socket(address.url)
        return docker.APIClient(
            base_url=address.url, version="auto", timeout=ANSWER_SECONDS, tls=address.tls_config()
        )
    except (DockerException, OSError) as error:
        raise DockerUnavailableError(
            f"the Docker engine at {address.url} does not answer: {error}; start it, or set DOCKER_HOST"
        ) from error


def _try_socket(url: str) -> None:
    """Raise OSError if nobody listens at a local socket; docker-py would leave a socket of its own open."""
    if url.startswith(_UNIX):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(url.removeprefix(_UNIX))
