"""An asynchronous connection to an engine: what following containers asks of it."""

import json
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Self

import aiodocker
import aiohttp

from mlops_core.containers.address import EngineAddress
from mlops_core.containers.logs import HEADER_BYTES, Assembler, Entry, read_header

LOST = (aiohttp.ClientError, OSError, TimeoutError, EOFError)
"""What a lost connection raises; ``IncompleteReadError`` is an ``EOFError``."""

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 30
# Of a container that is gone, and of one that is being removed.
_GONE = (404, 409)
_SERVER_ERROR = 500


class GoneError(Exception):
    """There is no such container any more."""


class _EmptyAnswerError(aiohttp.ClientError):
    """The engine began an answer and had none."""


class Connection:
    """Asks an engine about containers.

    Every method raises one of ``LOST`` where there is no answer, and ``GoneError`` where there is no
    container.
    """

    def __init__(self, address: EngineAddress) -> None:
        self._docker = aiodocker.Docker(
            url=_url(address),
            ssl_context=_ssl_context(address),
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._docker.close()

    async def wait(self, container: str) -> None:
        """Return when a container does not run; the engine answers only then."""
        await self._ask("POST", f"containers/{container}/wait", timeout=None)

    async def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine says about a container."""
        return await self._ask("GET", f"containers/{container}/json", timeout=_ANSWER_SECONDS)

    async def stats(self, container: str) -> dict[str, Any]:
        """Return what a container uses now."""
        parameters = {"stream": "false", "one-shot": "true"}
        try:
            return await self._ask(
                "GET", f"containers/{container}/stats", timeout=_ANSWER_SECONDS, parameters=parameters
            )
        except _EmptyAnswerError:
            # It ended, or was removed, between the question and the answer.
            return {}

    async def lines(
        self, container: str, *, follow: bool, since: str | None = None, tail: int | None = None
    ) -> AsyncGenerator[Entry, None]:
        """Give the lines of a container's log: with ``follow`` until it ends, else those there are.

        A stream that breaks off raises, unlike in aiodocker, which takes it for the log's end.
        """
        parameters = {"stdout": "true", "stderr": "true", "timestamps": "true", "follow": str(follow).lower()}
        if since is not None:
            parameters["since"] = since
        if tail is not None:
            parameters["tail"] = str(tail)
        assembler = Assembler()
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS)
        request = self._docker.session.get(
            self._target(f"containers/{container}/logs"), params=parameters, timeout=timeout
        )
        async with request as response:
            await _check(response)
            while not response.content.at_eof():
                header = await response.content.read(HEADER_BYTES)
                if not header:
                    break
                header += await response.content.readexactly(HEADER_BYTES - len(header))
                stream, length = read_header(header)
                for entry in assembler.feed(stream, await response.content.readexactly(length)):
                    yield entry
        for entry in assembler.flush():
            yield entry

    async def _ask(
        self, method: str, path: str, *, timeout: float | None, parameters: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT_SECONDS)
        request = self._docker.session.request(
            method, self._target(path), params=dict(parameters or {}), timeout=limits
        )
        async with request as response:
            await _check(response)
            body = await response.read()
        if not body:
            raise _EmptyAnswerError(f"{method} {path} was answered with nothing")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _target(self, path: str) -> str:
        # Without a version in it, the engine speaks its own.
        return f"{self._docker.docker_host}/{path}"


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status in _GONE:
        raise GoneError(await response.text())
    if response.status >= _SERVER_ERROR:
        # An engine that is being stopped says this; as good as no answer.
        raise aiohttp.ClientConnectionError(f"{response.status}: {await response.text()}")
    response.raise_for_status()


def _url(address: EngineAddress) -> str:
    scheme = "https://" if address.tls_folder else "http://"
    return address.url.replace("tcp://", scheme, 1)


def _ssl_context(address: EngineAddress) -> Any:
    if address.tls_folder is None:
        return None
    import ssl

    context = ssl.create_default_context(cafile=f"{address.tls_folder}/ca.pem")
    context.load_cert_chain(f"{address.tls_folder}/cert.pem", f"{address.tls_folder}/key.pem")
    return context
