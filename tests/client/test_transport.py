"""The transport against servers that misbehave."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tiltyard.client.control import ControlClient
from tiltyard.client.transport import Transport
from tiltyard.errors import ControlAwayError, TimedOutError, UnauthenticatedError

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{"status":"right"}'


@contextmanager
def server(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection for each answer, in order."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def receive(connection: socket.socket) -> None:
    """Read a request without a body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)


def drop(connection: socket.socket) -> None:
    """Read a request and close."""
    receive(connection)


def answer(data: bytes) -> Callable[[socket.socket], None]:
    """Read a request and send bytes."""

    def send(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(data)

    return send


def test_nobody_listening_means_away() -> None:
    """A refused connection says which URL and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with ControlClient(url) as client, pytest.raises(ControlAwayError, match="tiltyard up") as away:
        client.health()
    assert url in away.value.message
    assert away.value.exit_code == 5


def test_a_reading_call_survives_a_lost_connection() -> None:
    """A GET whose connection breaks is sent once more."""
    with server(drop, answer(OK)) as url, Transport(url) as transport:
        assert transport.send("GET", "/health").json() == {"status": "right"}


def test_a_writing_call_is_never_sent_twice() -> None:
    """A POST may have been carried out: the break is told instead."""
    seen: list[int] = []

    def count(connection: socket.socket) -> None:
        receive(connection)
        seen.append(1)

    with server(count) as url, Transport(url) as transport, pytest.raises(ControlAwayError):
        transport.send("POST", "/runs")
    assert seen == [1]


def test_a_silent_control_is_a_time_out() -> None:
    """The caller is told that it took too long, not that control is away."""
    release = threading.Event()

    def hang(connection: socket.socket) -> None:
        receive(connection)
        release.wait(5)

    with server(hang) as url, Transport(url, timeout=0.2) as transport:
        with pytest.raises(TimedOutError, match="too long"):
            transport.send("POST", "/runs")
        release.set()


def test_a_torn_stream_is_an_error() -> None:
    """Rows that stop in the middle are not taken for all of them."""
    torn = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n"
    with (
        server(answer(torn)) as url,
        Transport(url) as transport,
        pytest.raises(ControlAwayError),
        transport.stream("GET", "/x") as body,
    ):
        list(body.iter_bytes())


def test_errors_of_streams_are_told_too() -> None:
    """An error instead of a stream is read and raised."""
    body = b'{"error":{"code":"unauthenticated","message":"Send a token."}}'
    head = f"HTTP/1.1 401 Unauthorized\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with (
        server(answer(head + body)) as url,
        Transport(url) as transport,
        pytest.raises(UnauthenticatedError, match="Send a token"),
        transport.stream("GET", "/x"),
    ):
        pass


def test_parameters_that_are_none_are_not_sent() -> None:
    """Only what is given stands in the URL."""
    lines: list[bytes] = []

    def keep(connection: socket.socket) -> None:
        lines.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(OK)

    with server(keep) as url, Transport(url) as transport:
        transport.send("GET", "/x", params={"a": None, "b": 1})
    assert lines == [b"GET /api/v1/x?b=1 HTTP/1.1"]
