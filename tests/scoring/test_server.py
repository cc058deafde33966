"""A scorer's process and its clients."""

import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from support.models import mixed_frame, rows_of, wide_frame
from support.scorers import raw_client, read_frames, running_scorer, start_scorer, wait_for
from tiltyard.errors import UnavailableError
from tiltyard.scoring import frames
from tiltyard.scoring.client import ScorerClient
from tiltyard.scoring.folder import read_manifest
from tiltyard.scoring.frames import HEADER, FrameBuffer, Kind
from tiltyard.scoring.probe import probe
from tiltyard.scoring.rows import RowError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scorer(logistic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a running scorer."""
    path = tmp_path_factory.mktemp("s") / "s.sock"
    with running_scorer(logistic, path, "--version", "3"):
        yield path


def batch(request_id: int, rows: int) -> bytes:
    """Return the frame of a batch of random rows of 30 doubles."""
    matrix = np.random.default_rng(request_id).normal(size=(rows, 30))
    return bytes(frames.encode_batch(request_id, rows, matrix.tobytes(), []))


def flood(client: socket.socket) -> None:
    """Send batches whose answers are 240 MB, and read none of them."""
    one = batch(1, 10_000)
    for _ in range(1_000):
        client.sendall(one)


def assert_serves(path: Path) -> None:
    """Somebody new is greeted and answered."""
    with raw_client(path) as client:
        client.sendall(batch(1, 2))
        hello, result = read_frames(client, 2)
        assert (hello.kind, result.kind, result.request_id) == (Kind.HELLO, Kind.RESULT, 1)


def test_the_hello_says_who_answers(scorer: Path, logistic: Path) -> None:
    """Model, version, signature and engine are told before anything is asked."""
    manifest = read_manifest(logistic)
    with ScorerClient(f"unix:{scorer}", 60) as client:
        hello = client.hello
    assert (hello.model, hello.version, hello.engine) == ("logistic", 3, "onnx")
    assert hello.signature == manifest.signature.digest
    assert hello.pid != os.getpid()


def test_only_the_owner_may_connect(scorer: Path) -> None:
    """The socket is made with the mode 0600, and no other name of it is left."""
    assert stat.S_IMODE(scorer.lstat().st_mode) == 0o600
    assert [p.name for p in scorer.parent.iterdir()] == ["s.sock"]


def test_rows_are_scored_in_order(scorer: Path, logistic: Path) -> None:
    """More rows than a batch holds come back one a row, each as if it were alone."""
    signature = read_manifest(logistic).signature
    rows = rows_of(wide_frame(300, seed=9))
    with ScorerClient(f"unix:{scorer}", 60) as client:
        together = client.score(signature, rows)
        alone = [client.score(signature, [row])[0] for row in rows[::50]]
    assert len(together) == 300
    for (value, chances), (value_alone, chances_alone) in zip(together[::50], alone, strict=True):
        assert value == value_alone
        assert chances == pytest.approx(chances_alone, rel=1e-5)


def test_another_signature_is_not_scored(scorer: Path, mixed: Path) -> None:
    """A client that means another version finds out before it sends rows."""
    with (
        ScorerClient(f"unix:{scorer}", 60) as client,
        pytest.raises(UnavailableError, match="another signature"),
    ):
        client.score(read_manifest(mixed).signature, [{}])


def test_a_probe_accepts_its_version_and_no_other(
    scorer: Path, logistic: Path, mixed: Path
) -> None:
    """The golden rows are repeated over the socket."""
    assert probe(f"unix:{scorer}", logistic) is None
    assert "another signature" in str(probe(f"unix:{scorer}", mixed))


def test_pipelined_batches_keep_their_ids(scorer: Path) -> None:
    """Batches sent at once are answered in order, each under its own id."""
    with raw_client(scorer) as client:
        client.sendall(b"".join(batch(i, 1 + i % 5) for i in range(100, 300)))
        answers = read_frames(client, 201)[1:]
    assert [a.request_id for a in answers] == list(range(100, 300))
    for answer in answers:
        n = 1 + answer.request_id % 5
        assert len(frames.decode_result(answer.body, n).values) == n


def test_clients_take_turns(scorer: Path) -> None:
    """One client's long queue does not keep another's batch waiting to the end."""
    with raw_client(scorer) as greedy, raw_client(scorer) as modest:
        read_frames(greedy, 1)
        greedy.sendall(b"".join(batch(i, 5_000) for i in range(30)))
        modest.sendall(batch(1, 1))
        assert read_frames(modest, 2)[1].request_id == 1
        greedy.setblocking(False)
        have = len(greedy.recv(50_000_000))
        assert have < 30 * 5_000 * 24


def test_a_half_closed_client_gets_its_answers(scorer: Path) -> None:
    """A client that says it sends no more still reads all answers, then the end."""
    with raw_client(scorer) as client:
        client.sendall(batch(1, 10) + batch(2, 10))
        client.shutdown(1)
        assert [f.request_id for f in read_frames(client, 99)] == [0, 1, 2]


def test_an_empty_batch_is_answered_empty(scorer: Path) -> None:
    """No rows, no values."""
    with raw_client(scorer) as client:
        client.sendall(frames.encode_batch(1, 0, b"", []))
        assert frames.decode_result(read_frames(client, 2)[1].body, 0).values == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HEADER.pack(2**31, Kind.BATCH, 1),
        HEADER.pack(0, Kind.BATCH, 1),
        bytes(frames.encode_frame(Kind.HELLO, 4, "hello")),
        bytes(frames.encode_frame(99, 4, None)),
    ],
)
def test_a_client_that_speaks_otherwise_is_told_and_dropped(scorer: Path, garbage: bytes) -> None:
    """Garbage, a frame of 2 GB and a frame of another kind end their own connection only."""
    with raw_client(scorer) as client:
        client.sendall(garbage)
        answers = read_frames(client, 99)
    assert answers[-1].kind == Kind.ERROR
    assert_serves(scorer)


@pytest.mark.parametrize(
    "body",
    [
        "no batch",
        (2, struct.pack("<30d", *range(30)), []),
        (-1, b"", []),
        (10**12, b"", []),
        (1, struct.pack("<30d", *range(30)), [[1]]),
    ],
)
def test_a_batch_of_another_shape_is_refused_alone(scorer: Path, body: object) -> None:
    """Its id is answered with an error; the next batch of the same client is scored."""
    with raw_client(scorer) as client:
        client.sendall(frames.encode_frame(Kind.BATCH, 7, body) + batch(8, 1))
        refused, scored = read_frames(client, 3)[1:]
    assert (refused.kind, refused.request_id) == (Kind.ERROR, 7)
    assert (scored.kind, scored.request_id) == (Kind.RESULT, 8)


def test_a_client_that_never_reads_costs_the_others_nothing(scorer: Path) -> None:
    """Its answers are kept up to a bound; then it is dropped."""
    with raw_client(scorer) as deaf, pytest.raises(OSError, match=r"Broken pipe|reset"):
        flood(deaf)
    assert_serves(scorer)


def test_a_client_that_waits_to_read_costs_the_others_nothing(scorer: Path) -> None:
    """Others are answered while its answers lie there; it gets them all when it reads."""
    with raw_client(scorer) as slow:
        for number in range(40):
            slow.sendall(batch(number + 1, 10_000))
            if number % 10 == 0:
                assert_serves(scorer)
        assert len(read_frames(slow, 41)) == 41


def test_clients_that_vanish_are_forgotten(scorer: Path) -> None:
    """Connections that end in the middle of a frame or before an answer leave nothing behind."""
    for cut in (3, 20, None):
        client = raw_client(scorer)
        client.sendall(batch(1, 50)[:cut])
        client.close()
    assert_serves(scorer)


def test_a_row_that_cannot_be_scored_is_named(mixed: Path, tmp_path: Path) -> None:
    """The index counts over all rows that were given; the rest of the batch can go on."""
    signature = read_manifest(mixed).signature
    rows = rows_of(mixed_frame(300, seed=5))
    rows[270]["hour"] = None
    with (
        running_scorer(mixed, tmp_path / "s.sock"),
        ScorerClient(f"unix:{tmp_path / 's.sock'}", 60) as client,
    ):
        with pytest.raises(RowError, match="'hour' is missing") as caught:
            client.score(signature, rows)
        assert caught.value.row == 270
        assert len(client.score(signature, rows[:270])) == 270


def test_a_killed_scorer_is_followed_on_the_same_path(logistic: Path, tmp_path: Path) -> None:
    """Kill -9 leaves a stale socket; the next scorer takes its place in one step."""
    path = tmp_path / "s.sock"
    with running_scorer(logistic, path) as first:
        before = path.lstat().st_ino
        first.kill()
        first.wait()
        with pytest.raises(UnavailableError):
            ScorerClient(f"unix:{path}", 5)
        second = start_scorer(logistic, path)
        try:
            while path.lstat().st_ino == before:
                assert second.poll() is None
            wait_for(path, second)
            assert_serves(path)
        finally:
            second.kill()
            second.communicate()


def test_sigterm_answers_the_batch_at_hand_and_ends(logistic: Path, tmp_path: Path) -> None:
    """What is sent ends with a whole frame; it exits 0 and removes its socket."""
    path = tmp_path / "s.sock"
    with running_scorer(logistic, path) as process, raw_client(path) as client:
        client.sendall(b"".join(batch(i, 2_000) for i in range(1, 30)))
        received = bytearray()
        while len(received) < 50_000:
            received += client.recv(65_536)
        process.send_signal(signal.SIGTERM)
        with suppress(ConnectionResetError):  # batches that it did not read are lost to it
            while data := client.recv(65_536):
                received += data
        assert process.wait(10) == 0
    whole = FrameBuffer().feed(received)
    assert len(received) == sum(HEADER.size + len(frame.body) for frame in whole)
    assert [frame.kind for frame in whole[1:]] == [Kind.RESULT] * (len(whole) - 1)
    assert not path.exists()


def test_a_scorer_that_ends_leaves_its_successor_alone(logistic: Path, tmp_path: Path) -> None:
    """A socket that somebody else has put at the path is not removed."""
    path = tmp_path / "s.sock"
    other = tmp_path / "other.sock"
    with running_scorer(logistic, path) as first, running_scorer(logistic, other):
        other.rename(path)
        first.send_signal(signal.SIGTERM)
        assert first.wait(10) == 0
        assert_serves(path)


def test_a_changed_file_is_refused(logistic: Path, tmp_path: Path) -> None:
    """Nothing is loaded, nothing listens, the exit code is 3 and the file is named."""
    folder = Path(shutil.copytree(logistic, tmp_path / "v"))
    with (folder / "model.joblib").open("ab") as file:
        file.write(b"!")
    process = start_scorer(folder, tmp_path / "s.sock")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "model.joblib" in said
    assert not (tmp_path / "s.sock").exists()


def test_an_unknown_engine_lists_those_there_are(logistic: Path, tmp_path: Path) -> None:
    """The message is a sentence, not a traceback."""
    process = start_scorer(logistic, tmp_path / "s.sock", "--engine", "cobol")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert said.strip() == "error: There is no engine 'cobol'. Known: onnx, r, sklearn."


def test_too_little_memory_ends_it(logistic: Path, tmp_path: Path) -> None:
    """A limit of the process's data holds, and no socket is bound."""
    process = start_scorer(logistic, tmp_path / "s.sock", "--memory-mb", "20")
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert not (tmp_path / "s.sock").exists()


def test_a_path_too_long_for_a_socket_is_refused(logistic: Path, tmp_path: Path) -> None:
    """The message says which setting to shorten."""
    process: subprocess.Popen[str] = start_scorer(logistic, tmp_path / ("x" * 100))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "runtime_dir" in said
