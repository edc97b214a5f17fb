"""Reading a request's body without letting a client fill the memory or hold a place for ever."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from mlops_core.models.problem import Problem


class BodyRefusedError(Exception):
    """The body was not read to its end; ``status`` is the HTTP answer."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(str(problem))
        self.status = status
        self.problem = problem


async def read_body(request: Request, *, max_bytes: int, timeout_s: float) -> bytes:
    """Return a request's body.

    Raises
    ------
    BodyRefusedError
        If it is longer than ``max_bytes`` (as announced, or as sent), takes longer than ``timeout_s``, or the
        client left.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_long(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_long(max_bytes)
    except TimeoutError as error:
        raise BodyRefusedError(408, _problem(f"was not sent within {timeout_s:g} s")) from error
    except ClientDisconnect as error:
        raise BodyRefusedError(400, _problem("ended early: the client left")) from error
    return bytes(body)


def _too_long(max_bytes: int) -> BodyRefusedError:
    return BodyRefusedError(413, _problem(f"is longer than {max_bytes} bytes; send fewer records at a time"))


def _problem(message: str) -> Problem:
    return Problem(loc=("body",), msg=message)
