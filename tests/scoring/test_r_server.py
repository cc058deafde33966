"""A scorer's process with R behind it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.rmodels import RModels, signature
from support.scorers import raw_client, read_frames, running_scorer, start_scorer
from tiltyard.errors import UnavailableError
from tiltyard.scoring import frames
from tiltyard.scoring.client import ScorerClient
from tiltyard.scoring.frames import Frame, Kind
from tiltyard.scoring.probe import probe
from tiltyard.scoring.rows import RowError, pack_rows

pytestmark = pytest.mark.slow

CPUS = len(os.sched_getaffinity(0))
SLOW_S = 0.3


@pytest.fixture(scope="module")
def scorer(
    r_versions: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The socket of a running scorer of the hazard."""
    path = tmp_path_factory.mktemp("s") / "s.sock"
    with running_scorer(r_versions("hazard"), path) as process:
        assert len(workers_of(process)) == 1
        with raw_client(path) as client:  # what has to wait brings the others
            client.sendall(b"".join(batch(i, 555) for i in range(3 * CPUS)))
            read_frames(client, 1 + 3 * CPUS)
        assert len(workers_of(process)) == CPUS
        yield path


def batch(request_id: int, *numbers: float) -> bytes:
    """Return the frame of a batch for the hazard."""
    rows = [{"a": number} for number in numbers]
    packed = pack_rows(signature("hazard"), rows)
    return bytes(frames.encode_batch(request_id, len(rows), *packed))


def values(answer: Frame, n: int) -> list[frames.Value]:
    """Return the predictions in an answer."""
    assert answer.kind == Kind.RESULT
    return frames.decode_result(answer.body, n).values


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Return the ids of a scorer's R processes."""
    listed = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(word) for path in listed for word in path.read_text().split()]


@pytest.mark.parametrize("kind", ["randomForest", "same", "labels"])
def test_the_socket_changes_no_bit(
    r_models: RModels, r_versions: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    """The probe of a deployment accepts an R version, and clients get what R predicted."""
    path = tmp_path / "s.sock"
    with running_scorer(r_versions(kind), path, "--version", "2"):
        assert probe(f"unix:{path}", r_versions(kind)) is None
        with ScorerClient(f"unix:{path}") as client:
            assert (client.hello.language, client.hello.engine) == ("r", "r")
            if kind == "same":  # it knows only all of its rows
                return
            scored = client.score(signature(kind), r_models.rows(kind))
    expected = r_models.scores(kind)
    assert [value for value, _ in scored] == list(expected.values)
    if expected.probabilities is not None:
        assert [chances for _, chances in scored] == list(map(tuple, expected.probabilities))


def test_batches_are_scored_at_once(scorer: Path) -> None:
    """A slow one keeps neither its client's next one nor another client waiting."""
    with raw_client(scorer) as one, raw_client(scorer) as other:
        one.sendall(batch(1, 555, 1) + batch(2, 2))
        other.sendall(batch(3, 3))
        answers = read_frames(one, 3)[1:]
        assert [a.request_id for a in answers] == ([2, 1] if CPUS > 1 else [1, 2])
        by_id = {a.request_id: a for a in answers}
        assert (values(by_id[1], 2), values(by_id[2], 1)) == ([555, 1], [2])
        assert values(read_frames(other, 2)[1], 1) == [3]


def test_many_batches_keep_their_ids(scorer: Path) -> None:
    """A client that sends far more than there are workers gets every answer once."""
    with raw_client(scorer) as client:
        client.sendall(b"".join(batch(i, float(i), 0.5) for i in range(1, 201)))
        answers = read_frames(client, 201)[1:]
    assert sorted(a.request_id for a in answers) == list(range(1, 201))
    assert all(values(a, 2) == [a.request_id, 0.5] for a in answers)


def test_a_half_closed_client_gets_its_answers(scorer: Path) -> None:
    """Also those that are still being scored when it says that it sends no more."""
    with raw_client(scorer) as client:
        client.sendall(batch(1, 555) + batch(2, 555) + batch(3, 1))
        client.shutdown(socket.SHUT_WR)
        assert sorted(f.request_id for f in read_frames(client, 99)) == [0, 1, 2, 3]


def test_a_client_that_vanishes_leaves_nothing_behind(scorer: Path) -> None:
    """Its batch is scored for nobody; others are answered."""
    with raw_client(scorer) as client:
        client.sendall(batch(1, 555))
    with raw_client(scorer) as client:
        client.sendall(batch(1, 1))
        assert values(read_frames(client, 2)[1], 1) == [1]


@pytest.mark.parametrize(
    "body", ["no batch", (2, b"12345678", []), (-1, b"", []), (1, b"12345678", [[1]])]
)
def test_a_malformed_batch_is_refused_alone(scorer: Path, body: object) -> None:
    """R is not asked; the next batch of the same client is scored."""
    with raw_client(scorer) as client:
        client.sendall(frames.encode_frame(Kind.BATCH, 7, body) + batch(8, 1))
        answers = {a.request_id: a for a in read_frames(client, 3)[1:]}
    assert answers[7].kind == Kind.ERROR
    assert values(answers[8], 1) == [1]


@pytest.mark.parametrize(
    ("number", "said"), [(666, "R ended twice"), (888, "no such luck"), (444, "NA")]
)
def test_a_bad_row_is_named(scorer: Path, number: int, said: str) -> None:
    """The scorer lives, and the rows beside it are scored."""
    rows = [{"a": float(i)} for i in range(300)]
    rows[270]["a"] = number
    with ScorerClient(f"unix:{scorer}") as client:
        with pytest.raises(RowError, match=said) as caught:
            client.score(signature("hazard"), rows)
        assert caught.value.row == 270
        assert len(client.score(signature("hazard"), rows[:270])) == 270


def test_workers_that_are_killed_cost_no_answer(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """All batches that were in flight are answered."""
    path = tmp_path / "s.sock"
    with running_scorer(r_versions("hazard"), path) as process, raw_client(path) as client:
        numbers = range(1, 301)
        client.sendall(b"".join(batch(i, 555, float(i)) for i in numbers[:4]))
        client.sendall(b"".join(batch(i, 0, float(i)) for i in numbers[4:]))
        time.sleep(SLOW_S / 2)
        for pid in workers_of(process):
            os.kill(pid, signal.SIGKILL)
        answers = read_frames(client, 301)[1:]
        assert {values(a, 2)[1] for a in answers} == set(numbers)
        assert len(workers_of(process)) == CPUS


def test_sigterm_answers_the_batch_at_hand_and_ends_r(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """Also when the signal goes to the whole group, and when a worker hangs."""
    path = tmp_path / "s.sock"
    with running_scorer(r_versions("hazard"), path, own_group=True) as process:
        workers = workers_of(process)
        with raw_client(path) as client:
            client.sendall(batch(1, 555))
            read_frames(client, 1)
            time.sleep(SLOW_S / 3)
            os.killpg(process.pid, signal.SIGTERM)
            assert values(read_frames(client, 1)[0], 1) == [555]
        assert process.wait(5) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    with running_scorer(r_versions("hazard"), path) as process, raw_client(path) as client:
        workers = workers_of(process)
        client.sendall(batch(1, 777))
        read_frames(client, 1)
        time.sleep(SLOW_S / 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(3 if CPUS > 1 else 20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_killed_scorer_leaves_no_r(r_versions: Callable[[str], Path], tmp_path: Path) -> None:
    """Its workers see that nobody will ask them again."""
    path = tmp_path / "s.sock"
    with running_scorer(r_versions("hazard"), path) as process:
        workers = workers_of(process)
        process.kill()
        process.wait()
        with pytest.raises(UnavailableError):
            ScorerClient(f"unix:{path}")
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/exe").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_version_that_cannot_be_loaded_ends_with_r_s_reason(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """Exit 3, one sentence, no socket."""
    process = start_scorer(r_versions("hazard"), tmp_path / "s.sock", "--engine", "sklearn")
    assert "model.joblib" in process.communicate(timeout=60)[1]
    environment = os.environ | {"PATH": "/nowhere"}
    process = start_scorer(r_versions("hazard"), tmp_path / "s.sock", env=environment)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 3
    assert said.startswith("error: This version needs R, and there is no Rscript here")
    assert not (tmp_path / "s.sock").exists()
