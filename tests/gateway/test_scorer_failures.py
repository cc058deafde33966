"""Scorers that are killed under load, that lie, that hang, and that are none."""

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support import typed, wire
from support.gateway import Gateway, Scorer, make_table, model_route, running, socket_path
from support.impostor import Behave, hello, impostor
from support.models import build_version_folder, rows_of, wide_frame
from support.typed import Served, row
from support.watch import Watch
from tiltyard.scoring.frames import Kind, encode_error, encode_frame, encode_result
from tiltyard.types.registry import VersionManifest

pytestmark = pytest.mark.slow

KILLS_EACH = 2


def doubles(count: int) -> bytes:
    """Return so many packed numbers."""
    return struct.pack(f"<{count}d", *range(count))


LIES: dict[str, Behave] = {
    "bytes": lambda _, __: b"\xff" * 64,
    "text": lambda _, __: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a frame of no kind": lambda i, _: encode_frame(77, i, None),
    "a batch": lambda i, n: encode_frame(Kind.BATCH, i, (n, b"", [])),
    "no MessagePack": lambda i, _: struct.pack("<IBI", 6, Kind.RESULT, i) + b"\xc1",
    "another's answer": lambda i, n: encode_result(i + 1, doubles(n), None),
    "too few numbers": lambda i, n: encode_result(i, doubles(n - 1), None),
    "too many numbers": lambda i, n: encode_result(i, doubles(n + 1), None),
    "half a number": lambda i, n: encode_result(i, doubles(n)[:-3], None),
    "texts": lambda i, n: encode_result(i, ["1"] * n, None),
    "nothings": lambda i, n: encode_result(i, [None] * n, None),
    "probabilities": lambda i, n: encode_result(i, doubles(n), doubles(2 * n)),
    "a row that is none": lambda i, _: encode_error(i, "wrong", -1),
    "a row too far": lambda i, n: encode_error(i, "wrong", n),
    "an endless frame": lambda i, _: struct.pack("<IBI", 2**31, Kind.RESULT, i),
}


def post(gateway: Gateway, count: int = 3) -> wire.Response:
    """Send some rows of different sizes."""
    rows = [row(size=float(i)) for i in range(count)]
    with wire.Wire(gateway.port) as client:
        client.send(wire.predict("typed", *rows))
        return client.read()


def values(answer: wire.Response) -> list[Any]:
    """Return an answer's predictions, to the digits that do not depend on a batch's size."""
    assert answer.status == 200, answer.body
    return [round(p["value"], 9) for p in answer.json()["predictions"]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an impostor listens."""
    return socket_path(tmp_path)


def beside(served: Served, *endpoints: str) -> Any:
    """Return a table whose champion has these replicas."""
    return make_table(typed.route(served.manifest, "typed", 1, *endpoints))


@pytest.fixture(scope="module")
def truth(gateway: Gateway) -> list[Any]:
    """What the version predicts for the rows of `post`."""
    return values(post(gateway))


class Liar:
    """Lies as it is told to; `seen` are the sizes of the batches it was sent."""

    def __init__(self) -> None:
        self.lie: Behave = LIES["bytes"]
        self.seen: list[int] = []

    def behave(self, request_id: int, count: int) -> bytes | bytearray | None:
        """Answer a batch."""
        self.seen.append(count)
        return self.lie(request_id, count)


@pytest.fixture(scope="module")
def lied_to(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Liar]]:
    """A gateway in front of a liar."""
    home, liar = tmp_path_factory.mktemp("lied"), Liar()
    path = socket_path(home)
    with (
        impostor(path, hello(served.manifest), liar.behave),
        running(home, beside(served, f"unix:{path}")) as gateway,
    ):
        yield gateway, liar


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_answer_is_not_believed(lied_to: tuple[Gateway, Liar], lie: str) -> None:
    """After a second try it is 503, for the row is not to blame; nothing is recorded."""
    gateway, liar = lied_to
    with Watch(gateway) as watch:
        until(lambda: ready(gateway))
        liar.lie, liar.seen = LIES[lie], []
        answer = post(gateway)
    assert answer.status == 503, answer.body
    assert answer.json()["error"]["details"]["reason"] == "no_answer"
    assert "answered as it should (" in answer.json()["error"]["message"]
    assert watch.kept == []
    assert watch.refused("typed", "no_answer") == 1
    assert liar.seen[:2] == [3, 1]


def ready(gateway: Gateway) -> bool:
    """Whether the model has a scorer that greets."""
    return wire.call(gateway.port, "GET", "/v2/models/typed/ready").status == 200


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_beside_a_liar_the_others_answer(
    served: Served, tmp_path: Path, path: Path, truth: list[Any]
) -> None:
    """No call fails, and every answer is right, whatever the liar is up to."""
    lies = list(LIES.values())

    def behave(request_id: int, count: int) -> bytes | bytearray | None:
        return lies[request_id % len(lies)](request_id, count)

    with impostor(path, hello(served.manifest), behave) as seen:
        table = beside(served, f"unix:{path}", served.scorer.endpoint)
        with running(tmp_path, table) as gateway:
            until(lambda: post(gateway).status == 200)  # the other greeted, too
            with Watch(gateway) as watch:
                answers, end = 0, time.monotonic() + 60
                # A liar that was given up is away for a while, in which a fast machine is done.
                while answers < 60 or (len(seen) <= 3 and time.monotonic() < end):
                    assert values(post(gateway)) == truth
                    answers += 1
            assert len(watch.kept) == 3 * answers
        assert len(seen) > 3


def greetings(manifest: VersionManifest) -> list[bytes]:
    """Return what no scorer of the version says first."""
    fewer = manifest.signature.model_copy(update={"inputs": manifest.signature.inputs[1:]})
    return [
        b"",
        b"\xff" * 90,
        b"HTTP/1.1 200 OK\r\n\r\n",
        struct.pack("<IBI", 6, Kind.HELLO, 0) + b"\xc1",
        bytes(encode_result(1, doubles(1), None)),
        hello(manifest.model_copy(update={"signature": fewer})),
    ]


def test_who_does_not_greet_is_no_scorer(served: Served, tmp_path: Path) -> None:
    """Calls are 503 at once, and no row is shown to anybody."""
    with ExitStack() as stack:
        paths, seen = [], []
        for greeting in greetings(served.manifest):
            paths.append(socket_path(tmp_path))
            seen.append(stack.enter_context(impostor(paths[-1], greeting, lambda _, __: None)))
        table = beside(served, *[f"unix:{path}" for path in paths])
        gateway = stack.enter_context(running(tmp_path, table))
        answer = post(gateway)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["details"]["reason"] == "no_scorer"
        assert seen == [[]] * len(paths)
        time.sleep(1)
        for path in paths[1:]:  # told, but not as often as it is tried
            assert gateway.log().count(f"dropping the scorer at unix:{path}") == 1
        assert "it serves another version (of 'typed')" in gateway.log()


def test_a_socket_of_another_user_is_not_connected_to(served: Served, tmp_path: Path) -> None:
    """Nor is a link to a scorer's socket, nor a file."""
    path, link, file = (socket_path(tmp_path) for _ in range(3))
    with impostor(path, hello(served.manifest), lambda i, n: encode_result(i, doubles(n), None)):
        os.chown(path, 65534, 65534)  # needs root, and fails without
        link.symlink_to(served.scorer.path)
        file.touch()
        endpoints = [f"unix:{p}" for p in (path, link, file)]
        with running(tmp_path, beside(served, *endpoints)) as gateway:
            answer = post(gateway)
            assert answer.json()["error"]["details"]["reason"] == "no_scorer"
            for endpoint in (path, link, file):
                assert f"{endpoint} is no socket of user {os.geteuid()}" in gateway.log()
    link.unlink()
    file.unlink()


def test_a_scorer_that_hangs_costs_its_calls_only(
    served: Served, tmp_path: Path, path: Path, truth: list[Any]
) -> None:
    """504 after the time-out; what waited behind is answered by the other replica."""
    with impostor(path, hello(served.manifest), lambda _, __: b""):
        table = beside(served, f"unix:{path}", served.scorer.endpoint)
        limits = {"TILTYARD_GATEWAY__ANSWER_TIMEOUT_S": "2"}
        with running(tmp_path, table, **limits) as gateway, ThreadPoolExecutor(12) as pool:
            began = time.monotonic()
            answers = list(pool.map(lambda _: post(gateway), range(60)))
            late = [a for a in answers if a.status != 200]
            assert {a.status for a in late} == {504}
            assert 1 <= len(late) <= 24  # what was in the two batches that it takes
            assert late[0].json()["error"]["message"] == "There was no answer within 2 s."
            assert all(values(a) == truth for a in answers if a.status == 200)
            assert time.monotonic() - began < 20
            assert len(gateway.records()) == 3 * (60 - len(late))


def test_kills_of_one_of_two_replicas_fail_no_call(tmp_path: Path) -> None:
    """Under load, again and again, now this one and now that one; answers stay right."""
    manifest = build_version_folder("logistic", tmp_path / "version")
    replicas = [Scorer(tmp_path / "version", "onnx", socket_path(tmp_path)) for _ in range(2)]
    table = make_table(model_route(manifest, [r.endpoint for r in replicas]))
    call = wire.predict("logistic", *rows_of(wide_frame(3).drop(columns="y")))
    with running(tmp_path, table, *replicas) as gateway, ThreadPoolExecutor(8) as pool:
        ended = threading.Event()
        loads = [pool.submit(load, gateway, call, ended) for _ in range(8)]
        for victim in replicas * KILLS_EACH:
            time.sleep(0.3)
            victim.kill()
            victim.start()
        ended.set()
        answers = [answer for found in loads for answer in found.result()]
        assert {answer.status for answer in answers} == {200}
        assert len({str(values(answer)) for answer in answers}) == 1
        assert len(gateway.records()) == 3 * len(answers)
    for replica in replicas:
        replica.path.unlink()


def load(gateway: Gateway, call: bytes, ended: threading.Event) -> list[wire.Response]:
    """Call on one connection until told to end."""
    found = []
    with wire.Wire(gateway.port) as client:
        while not ended.is_set():
            client.send(call)
            found.append(client.read())
    return found
