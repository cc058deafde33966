"""Requests that are framed wrongly, in pieces, in rows or not to the end: HTTP/1.1 by bytes."""

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from support import typed
from support.gateway import TOKEN, Gateway, Scorer, running
from support.typed import Served
from support.watch import Watch, counts
from support.wire import Response, Wire, chunks, predict, request

pytestmark = pytest.mark.slow

GOOD = predict("typed", typed.row())
BODY = json.dumps({"rows": [typed.row()]}).encode()
LINE = "POST /models/typed/predict HTTP/1.1"
HOST = "Host: gateway"
RIGHT = f"Authorization: Bearer {TOKEN}"
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
HEADER_S, IDLE_S = 1.0, 2.0
SLACK_S = 8.0
"""More than a busy machine needs to see that a time is over."""


@pytest.fixture(scope="module")
def strict(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of little patience."""
    patience = {
        "TILTYARD_GATEWAY__HEADER_TIMEOUT_S": str(HEADER_S),
        "TILTYARD_GATEWAY__IDLE_TIMEOUT_S": str(IDLE_S),
    }
    with running(tmp_path_factory.mktemp("strict"), served.table, **patience) as gateway:
        yield gateway


def head(*lines: str, body: bytes = b"") -> bytes:
    """Return a request of these lines."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def halted(scorer: Scorer) -> Iterator[None]:
    """Keep the scorer from answering meanwhile."""
    assert scorer.process is not None
    os.kill(scorer.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(scorer.process.pid, signal.SIGCONT)


def open_calls(gateway: Gateway) -> float:
    """Return how many calls are under way."""
    return counts(gateway)["tiltyard_gateway_calls_open"]


def connections(gateway: Gateway) -> int:
    """Return how many clients are connected."""
    assert gateway.process is not None
    found = psutil.Process(gateway.process.pid).net_connections("tcp")
    return sum(c.laddr.port == gateway.port and c.status == "ESTABLISHED" for c in found)


def memory(gateway: Gateway) -> float:
    """Return the resident memory in MB."""
    assert gateway.process is not None
    return float(psutil.Process(gateway.process.pid).memory_info().rss) / 1e6


def until(condition: object, seconds: float = SLACK_S) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a callable without arguments
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


WRONG = {
    "length and chunks": head(LINE, HOST, RIGHT, LENGTH, CHUNKED, body=chunks(BODY, 50)),
    "chunks and length": head(LINE, HOST, RIGHT, CHUNKED, "Content-Length: 4", body=b"0\r\n\r\n"),
    "two lengths": head(LINE, HOST, RIGHT, LENGTH, "Content-Length: 5", body=BODY),
    "one length twice": head(LINE, HOST, RIGHT, LENGTH, LENGTH, body=BODY),
    "a list of lengths": head(LINE, HOST, RIGHT, f"{LENGTH}, {len(BODY)}", body=BODY),
    "a signed length": head(LINE, HOST, RIGHT, f"Content-Length: +{len(BODY)}", body=BODY),
    "a negative length": head(LINE, HOST, RIGHT, "Content-Length: -1", body=BODY),
    "a hexadecimal length": head(LINE, HOST, RIGHT, "Content-Length: 0x99", body=BODY),
    "an endless length": head(LINE, HOST, RIGHT, f"Content-Length: {'9' * 30}", body=BODY),
    "an empty length": head(LINE, HOST, RIGHT, "Content-Length: ", body=BODY),
    "chunks of no size": head(LINE, HOST, RIGHT, CHUNKED, body=b"zz\r\n" + BODY),
    "chunks of negative size": head(LINE, HOST, RIGHT, CHUNKED, body=b"-1\r\n" + BODY),
    "chunks of endless size": head(LINE, HOST, RIGHT, CHUNKED, body=b"f" * 17 + b"\r\n" + BODY),
    "chunks longer than said": head(LINE, HOST, RIGHT, CHUNKED, body=b"2\r\n" + BODY + b"\r\n"),
    "chunks ended by LF": head(
        LINE, HOST, RIGHT, CHUNKED, body=b"%x\n%b\n0\n\n" % (len(BODY), BODY)
    ),
    "an unknown coding": head(LINE, HOST, RIGHT, "Transfer-Encoding: xchunked", body=BODY),
    "a coding behind chunks": head(LINE, HOST, RIGHT, f"{CHUNKED}, gzip", body=chunks(BODY, 50)),
    "chunked twice": head(LINE, HOST, RIGHT, CHUNKED, CHUNKED, body=chunks(BODY, 50)),
    "a coding behind a control": head(LINE, HOST, RIGHT, "Transfer-Encoding: \x0bchunked"),
    "a folded header": head(LINE, HOST, RIGHT, "X-Long: a", " b: c", LENGTH, body=BODY),
    "a folded length": head(LINE, HOST, RIGHT, "Content-Length:", f" {len(BODY)}", body=BODY),
    "lines ended by LF": head(LINE, HOST, RIGHT, LENGTH, body=BODY).replace(b"\r\n", b"\n"),
    "a CR in a header": head(LINE, f"{HOST}\rX: y", RIGHT, LENGTH, body=BODY),
    "a NUL in a header": head(LINE, f"{HOST}\0", RIGHT, LENGTH, body=BODY),
    "a space before a colon": head(LINE, HOST, RIGHT, f"Content-Length : {len(BODY)}", body=BODY),
    "a coding before a colon": head(LINE, HOST, RIGHT, "Transfer-Encoding : chunked"),
    "a header without a name": head(LINE, HOST, ": x", RIGHT, LENGTH, body=BODY),
    "a header without a colon": head(LINE, HOST, "x", RIGHT, LENGTH, body=BODY),
    "a space before the method": b" " + GOOD,
    "an unknown method": head("FETCH /healthz HTTP/1.1", HOST),
    "a path that is not ASCII": "GET /größe HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "another version": head("GET /healthz HTTP/1.2", HOST),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a request of a proxy": head("CONNECT typed:443 HTTP/1.1", HOST, RIGHT),
    "a proxy's request of a call": head("CONNECT /models/typed/predict HTTP/1.1", HOST, RIGHT),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_framing_ends_the_connection(strict: Gateway, name: str) -> None:
    """One answer, 400 in the one shape, then the end: nothing behind it is taken for a request.

    So no proxy in front of the gateway can be made to see other requests than the gateway does.
    """
    with Watch(strict) as watch, Wire(strict.port) as wire:
        wire.send(WRONG[name], GOOD)
        (answer,) = wire.read_all()
    assert (answer.status, answer.closes) == (400, True)
    assert answer.json()["error"]["code"] == "bad_request"
    assert watch.kept == []
    assert watch.refused("", "bad_request") == 1


def test_what_was_right_before_wrong_framing_is_answered(strict: Gateway) -> None:
    """In order: two answers, then 400."""
    with Wire(strict.port) as wire:
        wire.send(GOOD, GOOD, WRONG["two lengths"], GOOD)
        assert [a.status for a in wire.read_all()] == [200, 200, 400]


def test_pipelined_requests_are_answered_in_order(strict: Gateway) -> None:
    """Calls among them are recorded in order as well, whatever stands between them."""
    rows = [typed.row(size=float(i)) for i in range(4)]
    calls = [predict("typed", row) for row in rows]
    bad, health = predict("typed", typed.row(size=None)), request("GET", "/healthz")
    nowhere = request("GET", "/nowhere")
    with Watch(strict) as watch, Wire(strict.port) as wire:
        wire.send(calls[0], health, calls[1], bad, nowhere, calls[2], health, health, calls[3])
        answers = [wire.read() for _ in range(9)]
    assert [a.status for a in answers] == [200, 200, 200, 422, 404, 200, 200, 200, 200]
    values = [a.json()["predictions"][0]["value"] for a in answers if b"predictions" in a.body]
    assert [r.value for r in watch.kept] == values
    assert [r.row["size"] for r in watch.kept] == [0, 1, 2, 3]  # type: ignore[union-attr]  # predictions


def test_many_pipelined_requests_in_small_pieces(strict: Gateway) -> None:
    """It does not matter where the network cuts them."""
    data = b"".join([predict("typed", typed.row(size=float(i))) for i in range(40)])
    with Wire(strict.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), 97):
            wire.send(data[start : start + 97])
        answers = [wire.read() for _ in range(40)]
    values = [a.json()["predictions"][0]["value"] for a in answers]
    assert values == sorted(values)
    assert len(set(values)) == 40


def test_a_body_in_chunks_is_a_body(strict: Gateway) -> None:
    """With extensions and trailers, which mean nothing; the connection goes on."""
    chunked = head(LINE, HOST, RIGHT, CHUNKED)
    extended = b"%x;a=b\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(BODY), BODY)
    with Wire(strict.port) as wire:
        wire.send(chunked, chunks(BODY, 7), chunked, chunks(BODY, 1), chunked, extended, GOOD)
        assert [wire.read().status for _ in range(4)] == [200] * 4


def test_a_client_that_asks_first_is_told_to_go_on(strict: Gateway) -> None:
    """``Expect: 100-continue``; also behind another request."""
    asks = head(LINE, HOST, RIGHT, LENGTH, "Expect: 100-continue")
    with Wire(strict.port) as wire:
        for before in (b"", GOOD):
            wire.send(before, asks)
            assert [wire.read().status for _ in range(2 if before else 1)][-1] == 100
            wire.send(BODY)
            assert wire.read().status == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((LINE, HOST, LENGTH), 401),
        ((LINE, HOST, RIGHT, "Content-Length: 50000000"), 413),
        ((LINE.replace("POST", "PUT"), HOST, RIGHT, LENGTH), 405),
    ],
)
def test_a_client_that_asks_first_may_be_refused(
    strict: Gateway, lines: tuple[str, ...], status: int
) -> None:
    """At once and without 100: it need not send the body. The connection ends, for it may have."""
    with Wire(strict.port) as wire:
        wire.send(head(*lines, "Expect: 100-continue"))
        answer = wire.read()
        assert (answer.status, answer.closes) == (status, True)
        assert wire.ended()


@pytest.mark.parametrize(
    "lines",
    [
        ("POST /models/typed/predict HTTP/1.0", HOST, RIGHT, LENGTH),
        ("POST /models/typed/predict HTTP/1.0", RIGHT, LENGTH, "Connection: keep-alive"),
        (LINE, HOST, RIGHT, LENGTH, "Connection: close"),
        (LINE, HOST, RIGHT, LENGTH, "Connection: Close, X-Foo"),
    ],
)
def test_a_connection_that_is_to_end_ends(strict: Gateway, lines: tuple[str, ...]) -> None:
    """HTTP/1.0 and ``Connection: close``: one answer that says so; nothing behind it is done."""
    with Watch(strict) as watch, Wire(strict.port) as wire:
        wire.send(head(*lines, body=BODY), GOOD)
        (answer,) = wire.read_all()
    assert (answer.status, answer.closes) == (200, True)
    assert len(watch.kept) == 1


@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.0"])
def test_an_offer_of_another_protocol_is_passed_over(strict: Gateway, offer: str) -> None:
    """Java's client offers HTTP/2 with its first request; its body is a body all the same."""
    offered = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offer}", "HTTP2-Settings: AAMAAA")
    with Wire(strict.port) as wire:
        wire.send(head(LINE, HOST, RIGHT, LENGTH, *offered, body=BODY))
        wire.send(head(LINE, HOST, RIGHT, CHUNKED, *offered, body=chunks(BODY, 60)))
        wire.send(head("GET /healthz HTTP/1.1", HOST, *offered), GOOD)
        assert [wire.read().status for _ in range(4)] == [200] * 4


def test_a_body_behind_an_offer_is_no_request(strict: Gateway) -> None:
    """Whoever writes a body does not write requests."""
    offered = ("Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(GOOD)}")
    with Watch(strict) as watch, Wire(strict.port) as wire:
        wire.send(head(LINE, HOST, RIGHT, *offered, body=GOOD))
        assert wire.read().status == 422
        assert wire.ended()
    assert watch.kept == []


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (head(LINE, HOST)[:-2], b"X-More: x\r\n"),
        (head(LINE, HOST)[:-2] + b"X-Long: ", b"x" * 80),
        (b"POST /models/", b"x" * 80),
        (head(LINE, HOST, RIGHT, CHUNKED, body=b"1\r\n{\r\n0\r\n"), b"X-More: x\r\n"),
        (head(LINE, HOST, RIGHT, CHUNKED, body=b"1;"), b"x" * 80),
    ],
    ids=["headers", "header", "path", "trailers", "extension"],
)
def test_what_does_not_end_is_not_gathered(strict: Gateway, start: bytes, more: bytes) -> None:
    """Endless heads and endless wrapping of bodies are 431 after a bounded number of bytes."""
    before = memory(strict)
    with Wire(strict.port) as wire:
        wire.send(start)
        answer = fill(wire, more * 800)
    assert (answer.status, answer.closes) == (431, True)
    assert memory(strict) - before < 40


def test_a_body_without_a_length_is_cut_at_the_limit(strict: Gateway) -> None:
    """413 although the client goes on; it is not gathered."""
    before = memory(strict)
    with Wire(strict.port) as wire:
        wire.send(head(LINE, HOST, RIGHT, CHUNKED))
        answer = fill(wire, b"10000\r\n" + b" " * 65_536 + b"\r\n")
    assert (answer.status, answer.closes) == (413, True)
    assert memory(strict) - before < 40


def fill(wire: Wire, piece: bytes, most: int = 60_000_000) -> Response:
    """Send a piece again and again until the server answers."""
    wire.socket.setblocking(False)
    sent, rest = 0, b""
    while sent < most and not answered(wire):
        rest = rest or piece
        try:
            rest = rest[wire.socket.send(rest) :]
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            break
        sent += len(piece) if not rest else 0
    wire.socket.settimeout(SLACK_S)
    return wire.read()


def answered(wire: Wire) -> bool:
    """Whether there is something to read."""
    try:
        return bool(wire.socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.mark.parametrize(
    "start",
    [b"", head(LINE, HOST, RIGHT)[:-2], head(LINE, HOST, RIGHT, LENGTH), head(LINE, HOST, LENGTH)],
    ids=["line", "headers", "body", "refused body"],
)
def test_a_slow_client_is_closed(strict: Gateway, start: bytes) -> None:
    """Who dribbles is told 408 and ended when the time is over; others do not notice."""
    rest = head(LINE, HOST, RIGHT, LENGTH, body=BODY)[len(start) :]
    with Wire(strict.port) as slow, Wire(strict.port) as other:
        slow.send(start)
        began = time.monotonic()
        for i in range(1000):
            slow.send(rest[i : i + 1])
            other.send(GOOD)
            assert other.read().status == 200
            if readable(slow, 0.1):
                break
        assert HEADER_S <= time.monotonic() - began < HEADER_S + SLACK_S
        answer = slow.read()
        assert (answer.status, answer.closes) == (408, True)
        assert "was not complete within 1 s" in answer.json()["error"]["message"]
        assert slow.ended()


def readable(wire: Wire, seconds: float) -> bool:
    """Wait a moment for something to read."""
    wire.socket.settimeout(seconds)
    try:
        return len(wire.socket.recv(1, socket.MSG_PEEK)) == 1
    except TimeoutError:
        return False
    finally:
        wire.socket.settimeout(20)


def test_an_idle_connection_is_closed(strict: Gateway) -> None:
    """Without a byte, be it new or kept alive; also hundreds of them, and calls go on."""
    idle = [Wire(strict.port) for _ in range(200)]
    try:
        idle[0].send(GOOD)
        assert idle[0].read().status == 200
        with Wire(strict.port) as other:
            other.send(GOOD)
            assert other.read().status == 200
        assert all(wire.ended() for wire in idle)
    finally:
        for wire in idle:
            wire.close()


def test_a_half_closed_client_gets_its_answers(strict: Gateway, served: Served) -> None:
    """Those of all whole requests; a cut one is told. Then the gateway closes, too."""
    with Wire(strict.port) as wire:
        with halted(served.scorer):
            wire.send(GOOD, request("GET", "/healthz"), GOOD, GOOD[:-20])
            wire.socket.shutdown(socket.SHUT_WR)
            until(lambda: open_calls(strict) == 1)
        assert [(a.status, a.closes) for a in wire.read_all()] == [
            (200, False), (200, False), (200, False), (400, True),
        ]  # fmt: skip
    until(lambda: connections(strict) == 0)


@pytest.mark.parametrize("cut", [b"", GOOD[:30], GOOD[:-20]], ids=["nothing", "head", "body"])
def test_a_client_that_half_closes_early_is_closed_at_once(strict: Gateway, cut: bytes) -> None:
    """There is nothing to wait for."""
    began = time.monotonic()
    with Wire(strict.port) as wire:
        wire.send(cut)
        wire.socket.shutdown(socket.SHUT_WR)
        assert [a.status for a in wire.read_all()] == ([400] if cut else [])
    assert time.monotonic() - began < HEADER_S


@pytest.mark.parametrize("reset", [True, False])
def test_a_client_that_leaves_before_its_answer_harms_nobody(
    strict: Gateway, served: Served, reset: bool
) -> None:
    """Its call ends as if it were there, and is recorded; what it pipelined behind is not begun."""
    with Watch(strict) as watch, Wire(strict.port) as other:
        with halted(served.scorer):
            leaver = Wire(strict.port)
            leaver.send(GOOD, GOOD)
            until(lambda: open_calls(strict) == 1)
            if reset:
                linger = struct.pack("ii", 1, 0)
                leaver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            leaver.close()
            time.sleep(0.2)
        other.send(GOOD)
        assert other.read().status == 200
        until(lambda: open_calls(strict) == 0)
    assert 2 <= len(watch.kept) <= 3
    assert "Traceback" not in strict.log()


def test_a_client_that_does_not_read_is_not_served_on(strict: Gateway) -> None:
    """What it does not read waits in bounded memory; then it is ended as an idle one is."""
    big = predict("typed", *[typed.row()] * 4000)
    before, begun = memory(strict), len(strict.records())
    with Wire(strict.port) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.setblocking(False)
        end = time.monotonic() + 4 * (SLACK_S + IDLE_S)
        rest = b""
        with suppress(ConnectionError):
            while time.monotonic() < end:
                rest = rest or big
                try:
                    rest = rest[wire.socket.send(rest) :]
                except BlockingIOError:
                    time.sleep(0.01)
        assert time.monotonic() < end, "it was not ended"
    assert len(strict.records()) - begun < 40 * 4000
    assert memory(strict) - before < 100


@pytest.mark.parametrize("start", [b"\r\n\r\n", b"POS"], ids=["empty lines", "a long head"])
def test_what_one_client_sends_is_not_taken_for_anothers(strict: Gateway, start: bytes) -> None:
    """Heads that come again are remembered, whole ones: no other bytes may be taken for one."""
    long = "" if start == b"\r\n\r\n" else "x" * 2_500
    before = b"\r\n\r\n" if start == b"\r\n\r\n" else b""
    victim = before + predict("twin", typed.row(), headers=[("X-Long", long)])
    half = before + head(
        LINE, HOST, RIGHT, f"X-Long: {long}", f"Content-Length: {len(victim) - len(start)}"
    )
    with Wire(strict.port) as attacker:
        attacker.send(half.ljust(len(victim)))
        time.sleep(0.2)
        with Wire(strict.port) as wire:
            wire.send(victim)
            answer = wire.read()
    assert (answer.status, answer.json()["model"]) == (200, "twin")


def test_sigterm_under_load_answers_all_that_was_begun(served: Served, tmp_path: Path) -> None:
    """Each connection's last answer says that it ends; a call is answered whole or not begun."""
    with running(tmp_path, served.table) as gateway:
        wires = [Wire(gateway.port) for _ in range(16)]
        answered = [0] * len(wires)
        for turn in range(30):
            for wire in wires:
                wire.send(GOOD)
            if turn == 20:
                assert gateway.process is not None
                gateway.process.terminate()
            going_on = [take(wire, answered, i) for i, wire in enumerate(wires)]
            if not all(going_on):
                break
        assert gateway.process is not None
        assert gateway.process.wait(10) == 0
        assert min(answered) >= 20
        assert len(gateway.records()) == sum(answered)
        for wire in wires:
            wire.close()


def take(wire: Wire, answered: list[int], index: int) -> bool:
    """Read one answer, if it comes; return whether the connection goes on."""
    try:
        answer = wire.read()
    except (EOFError, ConnectionError):
        return False
    assert answer.status == 200
    answered[index] += 1
    return not answer.closes
