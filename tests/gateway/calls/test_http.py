"""HTTP/1.1 byte by byte: order, sizes, slow and half-closed clients, smuggling, upgrades."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.gateway import (
    ROW,
    TOKEN,
    Gateway,
    Scorer,
    make_table,
    model_route,
    running,
    socket_path,
)
from tiltyard.types.records import PredictionRecord
from tiltyard.types.registry import VersionManifest

pytestmark = pytest.mark.slow

Built = tuple[Path, VersionManifest]

AUTHORIZATION = f"Authorization: Bearer {TOKEN}\r\n".encode()
HEAD = b"POST /models/classes/predict HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION
BODY = json.dumps({"rows": [{"f0": 1, "f1": 2}]}).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
GOOD = HEAD + LENGTH + b"\r\n" + BODY
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
TIMEOUT_S = 1.0


class Client:
    """A connection that sends what it is told and reads what comes."""

    def __init__(self, gateway: Gateway) -> None:
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        self._received = b""

    def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send parts one after the other."""
        for part in parts:
            self.socket.sendall(part)
            time.sleep(pause)

    def answer(self) -> tuple[int, dict[str, Any]]:
        """Read one answer: its status and document."""
        while not (found := re.match(rb"HTTP/1.1 (\d+).*?\r\n\r\n", self._received, re.DOTALL)):
            self._more()
        head, status = found[0], int(found[1])
        length = re.search(rb"content-length: (\d+)", head)
        end = len(head) + (int(length[1]) if length else 0)
        while len(self._received) < end:
            self._more()
        body, self._received = self._received[len(head) : end], self._received[end:]
        return status, json.loads(body) if body else {}

    def statuses(self, count: int) -> list[int]:
        """Read so many answers."""
        return [self.answer()[0] for _ in range(count)]

    def ended(self) -> bool:
        """Whether the server ends the connection with nothing more."""
        return self._received == b"" and self.socket.recv(1000) == b""

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        assert data, "the connection ended"
        self._received += data


@pytest.fixture
def client(shared: Gateway) -> Iterator[Client]:
    """A connection to the shared gateway."""
    client = Client(shared)
    with closing(client.socket):
        yield client


@pytest.fixture(scope="module")
def impatient(versions: dict[str, Built], tmp_path_factory: Any) -> Iterator[Gateway]:
    """A gateway that waits 1 s for a request and 1 s for the next."""
    folder, manifest = versions["classes"]
    scorer = Scorer(folder, "sklearn", socket_path(folder))
    limits = {
        "TILTYARD_GATEWAY__HEADER_TIMEOUT_S": str(TIMEOUT_S),
        "TILTYARD_GATEWAY__IDLE_TIMEOUT_S": str(TIMEOUT_S),
    }
    table = make_table(model_route(manifest, [scorer.endpoint]))
    with running(tmp_path_factory.mktemp("home"), table, scorer, **limits) as gateway:
        yield gateway


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    """Calls, other routes and refusals, sent in one go."""
    client.send(GOOD + HEALTH + GOOD + HEALTH.replace(b"healthz", b"lost") + HEAD + b"\r\n" + GOOD)
    assert client.statuses(6) == [200, 200, 200, 404, 422, 200]


def test_many_pipelined_requests_are_answered(client: Client) -> None:
    """Also those that are refused at once, without end of the stack."""
    client.send((HEAD.replace(TOKEN.encode(), b"x") + LENGTH + b"\r\n" + BODY) * 2000 + GOOD)
    assert client.statuses(2001) == [401] * 2000 + [200]


def test_a_half_closed_client_gets_its_answer(client: Client) -> None:
    """It said that it sends no more, not that it is gone."""
    client.send(GOOD + GOOD)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.statuses(2) == [200, 200]
    assert client.ended()


def test_half_a_request_of_a_half_closed_client_is_400(client: Client) -> None:
    """It will never be whole."""
    client.send(GOOD[:-3])
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer()[1]["error"]["message"] == "The connection ended within a request."
    assert client.ended()


@pytest.mark.parametrize(
    "head",
    [
        LENGTH + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n" + LENGTH,
        LENGTH + b"Content-Length: 3\r\n",
        LENGTH * 2,
        b"Content-Length: +2\r\n",
        b"Content-Length: 2,2\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"X: a\r\n b\r\n" + LENGTH,
        b"Host: y\r\n" + LENGTH,
        AUTHORIZATION + LENGTH,
    ],
)
def test_a_smuggled_request_is_not_answered(client: Client, head: bytes) -> None:
    """400 and the end: nobody reads on behind a head of two meanings."""
    client.send(HEAD + head + b"\r\n" + GOOD)
    status, document = client.answer()
    assert (status, document["error"]["code"]) == (400, "bad_request")
    assert client.ended()


def test_garbage_behind_a_good_request_ends_the_connection_in_its_turn(client: Client) -> None:
    """The good one is answered first."""
    client.send(GOOD + b"\x16\x03\x01\r\n\r\n")
    assert client.statuses(2) == [200, 400]
    assert client.ended()


def test_a_missing_host_is_400(client: Client) -> None:
    """As HTTP/1.1 demands."""
    client.send(GOOD.replace(b"Host: x\r\n", b""))
    assert client.answer() == (400, client_error("HTTP/1.1 needs a Host header."))


def client_error(message: str) -> dict[str, Any]:
    """Return the document of a 400."""
    return {"error": {"code": "bad_request", "message": message, "details": {}}}


def test_chunked_bodies_are_read(client: Client) -> None:
    """In whatever pieces they come."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    client.send(CHUNKED + b"\r\n" + chunks + GOOD)
    assert client.statuses(2) == [200, 200]


def test_a_chunked_body_of_9_mb_is_413(client: Client) -> None:
    """Its length is not told; the answer arrives although the client sends on."""
    chunk = b"%x\r\n%s\r\n" % (500_000, b" " * 500_000)
    client.send(CHUNKED + b"\r\n", *[chunk] * 18)
    status, document = client.answer()
    assert (status, document["error"]["code"]) == (413, "too_large")
    assert client.ended()


def test_expect_100_continue(client: Client) -> None:
    """The client is asked for its body only when it can be taken, and in its turn."""
    expecting = HEAD + b"Expect: 100-continue\r\n"
    client.send(GOOD + expecting + LENGTH + b"\r\n")
    assert client.statuses(2) == [200, 100]
    client.send(BODY)
    assert client.answer()[0] == 200
    client.send(expecting + b"Content-Length: 9000000\r\n\r\n")
    assert client.answer()[0] == 413
    assert client.ended()


def test_a_head_without_end_is_431(client: Client) -> None:
    """It is not gathered until the time is over."""
    client.send(HEAD, *[b"X: %s\r\n" % (b"a" * 30_000)] * 6, pause=0.05)
    assert client.answer()[0] == 431
    assert client.ended()


def test_a_large_head_is_431(client: Client) -> None:
    """Also when it ends."""
    client.send(HEAD + b"X: a\r\n" * 20_000 + LENGTH + b"\r\n" + BODY)
    assert client.answer()[0] == 431


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_offer_to_upgrade_is_passed_over(client: Client, framing: str) -> None:
    """Java's client offers HTTP/2 with its first request; the body is read all the same."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
    if framing == "length":
        request = HEAD + offer + LENGTH + b"\r\n" + BODY
    else:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        request = CHUNKED + offer + b"\r\n" + body
    client.send(request + request + HEALTH)
    assert client.statuses(3) == [200, 200, 200]


def test_an_old_client_is_answered_and_let_go(client: Client) -> None:
    """HTTP/1.0 keeps no connection; neither does who asks to close."""
    client.send(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert client.answer()[0] == 200
    assert client.ended()


def test_nothing_behind_connection_close_is_answered(client: Client, shared: Gateway) -> None:
    """Nor recorded."""
    count = len(shared.records())
    client.send(HEAD + b"Connection: close\r\n" + LENGTH + b"\r\n" + BODY + GOOD)
    assert client.answer()[0] == 200
    assert client.ended()
    assert len(shared.records()) == count + 1


def test_a_head_that_came_before_means_the_same(client: Client, shared: Gateway) -> None:
    """The gateway remembers heads; what follows is read anew, in one piece or in many."""
    values = []
    for f0 in range(-3, 4):
        body = BODY.replace(b'"f0": 1', b'"f0":%2d' % f0).replace(b'"f1": 2', b'"f1": 0')
        assert len(body) == len(BODY)
        client.send(HEAD + LENGTH + b"\r\n" + body)
        client.send(HEAD + LENGTH + b"\r\n", body[:9], body[9:], pause=0.02)
        client.send((HEAD + LENGTH + b"\r\n" + body) * 2)
        answers = [client.answer() for _ in range(4)]
        assert [status for status, _ in answers] == [200] * 4
        values += [answers[i][1]["predictions"][0]["probabilities"]["1"] for i in range(4)]
    assert len(set(values)) == 7
    rows = [r.row for r in shared.records()[-28:] if isinstance(r, PredictionRecord)]
    assert [row["f0"] for row in rows] == [f0 for f0 in range(-3, 4) for _ in range(4)]


def test_a_remembered_head_in_chunks_is_no_whole_call(client: Client) -> None:
    """Its body is still to come, each time."""
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    for _ in range(3):
        client.send(CHUNKED + b"\r\n", body, pause=0.05)
        assert client.answer()[0] == 200
    empty = HEAD + b"Content-Length: 0\r\n\r\n"
    client.send(empty, empty, empty + GOOD, pause=0.05)
    assert client.statuses(4) == [422, 422, 422, 200]


def test_other_forms_of_the_path(client: Client) -> None:
    """A query, an escape and a whole URL name the same call."""
    for path in (b"/models/classes/predict?x=1", b"/models/%63lasses/predict", b"http://x"):
        whole = path if path.startswith(b"/") else b"http://x/models/classes/predict"
        client.send(GOOD.replace(b"/models/classes/predict", whole))
        assert client.answer()[0] == 200


def test_what_is_no_http_is_400(shared: Gateway) -> None:
    """TLS, HTTP/2 by prior knowledge, a proxy's request."""
    strange = [
        b"\x16\x03\x01\x00\xa5",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    for data in strange:
        client = Client(shared)
        with closing(client.socket):
            client.send(data)
            assert client.answer()[0] == 400
            assert client.ended()


@pytest.mark.parametrize("sent", [HEAD[:20], GOOD[:-3], GOOD + GOOD[:-3], CHUNKED + b"\r\n1\r\n"])
def test_a_slow_client_is_408(impatient: Gateway, sent: bytes) -> None:
    """In the head or in the body; what was whole before is answered."""
    client = Client(impatient)
    with closing(client.socket):
        begun = time.monotonic()
        client.send(sent)
        if sent.startswith(GOOD):
            assert client.answer()[0] == 200
        assert client.answer()[0] == 408
        assert client.ended()
        assert time.monotonic() - begun > TIMEOUT_S / 2


def test_a_client_that_drips_is_408(impatient: Gateway) -> None:
    """Each byte in time is not the request in time."""
    client = Client(impatient)
    with closing(client.socket):
        client.send(*[GOOD[i : i + 8] for i in range(0, 96, 8)], pause=0.15)
        assert client.answer()[0] == 408


def test_an_idle_client_is_let_go(impatient: Gateway) -> None:
    """Without a word, before its first request and after its last."""
    for requests in (0, 1):
        client = Client(impatient)
        with closing(client.socket):
            client.send(GOOD * requests)
            assert client.statuses(requests) == [200] * requests
            assert client.ended()


def test_a_client_that_goes_away_harms_nobody(shared: Gateway) -> None:
    """Its call is recorded; others are answered."""
    for _ in range(20):
        client = Client(shared)
        client.send(GOOD)
        client.socket.close()
    assert shared.predict("pass", ROW).status_code == 200
