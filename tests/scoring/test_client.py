"""The blocking client, against what is no scorer."""

import os
import socket
from pathlib import Path
from threading import Thread

import pytest

from tiltyard.errors import InvalidInputError, TimedOutError, UnavailableError
from tiltyard.scoring.client import ScorerClient
from tiltyard.scoring.frames import ProtocolError


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    """A socket that accepts and says nothing."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "s.sock"))
    listening.listen()
    return listening


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    """A missing socket is said to be away."""
    with pytest.raises(UnavailableError, match="does not answer"):
        ScorerClient(f"unix:{tmp_path / 's.sock'}", 1)


def test_a_socket_of_somebody_else_is_not_used(tmp_path: Path, listener: socket.socket) -> None:
    """The owner is looked at before anything is sent."""
    with listener, pytest.raises(UnavailableError, match="no socket of user"):
        ScorerClient(f"unix:{tmp_path / 's.sock'}", 1, uid=os.getuid() + 1)


def test_a_link_to_a_socket_is_not_followed(tmp_path: Path, listener: socket.socket) -> None:
    """Whoever can place a link cannot choose who is asked."""
    (tmp_path / "link.sock").symlink_to(tmp_path / "s.sock")
    with listener, pytest.raises(UnavailableError, match="no socket of user"):
        ScorerClient(f"unix:{tmp_path / 'link.sock'}", 1)


def test_silence_times_out(tmp_path: Path, listener: socket.socket) -> None:
    """A hello that does not come is not waited for without end."""
    with listener, pytest.raises(TimedOutError):
        ScorerClient(f"unix:{tmp_path / 's.sock'}", 0.05)


def test_another_protocol_is_refused() -> None:
    """A web server is no scorer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=greet)
        thread.start()
        with pytest.raises(ProtocolError):
            ScorerClient(f"tcp:127.0.0.1:{server.getsockname()[1]}", 5)
        thread.join()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1", "s.sock", "tcp:host:port"])
def test_an_endpoint_of_another_form_is_refused(endpoint: str) -> None:
    """The message says which forms there are."""
    with pytest.raises(InvalidInputError, match="unix:/path"):
        ScorerClient(endpoint, 1)
