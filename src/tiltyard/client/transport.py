"""HTTP to control: one connection pool, a token, and control's errors as exceptions."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from tiltyard.client.errors import error_from
from tiltyard.errors import ControlAwayError, TimedOutError

PREFIX = "/api/v1"

_LOST_CONNECTION = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class Transport:
    """Sends requests to control; usable from several threads.

    Attributes:
        url: control's URL without the API's prefix.
        timeout: seconds that control may stay silent in an ordinary call.
        authorization: the header that every call sends.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.authorization = f"Bearer {token}" if token else None
        headers = {"authorization": self.authorization} if self.authorization else {}
        self._http = httpx.Client(
            base_url=self.url + PREFIX,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            trust_env=False,
            verify=self.url.startswith("https:"),  # reading all certificates takes 30 ms
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return a good answer, wholly read.

        Arguments are httpx's; None among ``params`` means not given. A GET whose kept-alive
        connection was lost is sent once more.

        Raises:
            TiltyardError: the subclass that control meant.
            ControlAwayError: nobody answers.
            TimedOutError: control took longer than ``timeout``.
        """
        request["params"] = _given(request.get("params"))
        with self._translated():
            try:
                answer = self._http.request(method, path, **request)
            except _LOST_CONNECTION:
                if method != "GET":
                    raise
                answer = self._http.request(method, path, **request)
        return self._checked(answer)

    @contextmanager
    def stream(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """Give a good answer whose body is still to be read; errors as in ``send``."""
        request["params"] = _given(request.get("params"))
        with self._translated(), self._http.stream(method, path, **request) as answer:
            if answer.is_error:
                answer.read()
            yield self._checked(answer)

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise error_from(answer, self.url)
        return answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise TimedOutError(
                f"Control at {self.url} took too long to answer; ask it again later.", url=self.url
            ) from error
        except httpx.TransportError as error:
            raise ControlAwayError(self.url, str(error) or type(error).__name__) from error


class BodyReader(io.RawIOBase):
    """An answer's body as a file, in the memory of one piece."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self._pieces = answer.iter_bytes()
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what is there; 0 at the end."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        n = min(len(buffer), len(self._piece))
        buffer[:n] = self._piece[:n]
        self._piece = self._piece[n:]
        return n


def _given(params: Any) -> Any:
    if not isinstance(params, dict):
        return params
    return {name: value for name, value in params.items() if value is not None}
