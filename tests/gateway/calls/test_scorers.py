"""Scorers that die, hang, refuse or are away; too many calls; the end of the gateway."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from support.gateway import Gateway, Scorer, make_table, model_route, running, socket_path
from support.yard import MODEL
from tiltyard.types.registry import VersionManifest

pytestmark = pytest.mark.slow

Built = tuple[Path, VersionManifest]

GOOD = {"x": 1.0, "y": 0.5, "part": "noon"}


@pytest.fixture
def calls() -> Iterator[ThreadPoolExecutor]:
    """Threads that call."""
    with ThreadPoolExecutor(48) as pool:
        yield pool


def scorer_of(built: Built) -> Scorer:
    """Return a scorer of the version, not started."""
    return Scorer(built[0], "sklearn", socket_path(built[0]))


def stopped(scorer: Scorer) -> int:
    """Halt a scorer's process; return its id."""
    assert scorer.process is not None
    os.kill(scorer.process.pid, signal.SIGSTOP)
    return scorer.process.pid


def predict(gateway: Gateway, x: float) -> httpx.Response:
    """Send one row."""
    return gateway.predict(MODEL, {**GOOD, "x": x})


def until(condition: object, seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a callable without arguments
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def open_calls(gateway: Gateway) -> float:
    """Return how many calls are under way."""
    text = httpx.get(f"{gateway.url}/metrics").text
    line = next(x for x in text.splitlines() if x.startswith("tiltyard_gateway_calls_open "))
    return float(line.rsplit(" ", 1)[1])


def test_a_row_that_kills_twice_is_named_and_the_others_are_answered(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """Each row of a dead scorer's batch is sent once more, alone."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        first = predict(gateway, 1.0).json()["predictions"][0]["value"]
        pid = stopped(scorer)
        good = [calls.submit(predict, gateway, 1.0) for _ in range(6)]
        rows = [{**GOOD, "x": x} for x in (1, 2, 666, 3)]
        bad = calls.submit(gateway.predict, MODEL, *rows)
        until(lambda: open_calls(gateway) == 7)
        os.kill(pid, signal.SIGCONT)
        restarts = keep_alive(scorer, [*good, bad])
        assert restarts >= 1
        answers = [call.result() for call in good]
        assert [a.status_code for a in answers] == [200] * 6
        assert {a.json()["predictions"][0]["value"] for a in answers} == {first}
        error = bad.result().json()["error"]
        assert bad.result().status_code == 422
        assert error["message"] == "rows[2]: a scorer died twice on this row"
        assert {r.value for r in gateway.records()} == {first}


def keep_alive(scorer: Scorer, calls: list["Future[httpx.Response]"]) -> int:
    """Start the scorer again whenever it died, until the calls are answered."""
    restarts = 0
    while not all(call.done() for call in calls):
        assert scorer.process is not None
        if scorer.process.poll() is not None:
            scorer.start()
            restarts += 1
        time.sleep(0.02)
    return restarts


def test_a_row_that_the_model_cannot_score_is_named(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """The rows beside it, of other calls in the same batch, are answered."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        pid = stopped(scorer)
        answers = [calls.submit(predict, gateway, x) for x in (1, 13, 2, 13, 3)]
        until(lambda: open_calls(gateway) == 5)
        os.kill(pid, signal.SIGCONT)
        assert [a.result().status_code for a in answers] == [200, 422, 200, 422, 200]
        message = answers[1].result().json()["error"]["message"]
        assert message.startswith("rows[0]: the model cannot score this row: ")
        assert "13 brings bad luck" in message


def test_with_two_replicas_the_death_of_one_fails_no_call(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """What it had in hand is answered by the other."""
    scorers = [scorer_of(hazardous), scorer_of(hazardous)]
    table = make_table(model_route(hazardous[1], [s.endpoint for s in scorers]))
    with running(tmp_path, table, *scorers) as gateway:
        pid = stopped(scorers[0])
        answers = [calls.submit(predict, gateway, i / 40) for i in range(40)]
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        assert [a.result().status_code for a in answers] == [200] * 40


def test_a_scorer_that_comes_back_is_found(hazardous: Built, tmp_path: Path) -> None:
    """503 while it is away, answers as soon as it greets again; its path is the same."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        scorer.kill()
        until(lambda: predict(gateway, 1.0).status_code == 503)
        answer = predict(gateway, 1.0)
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["details"]["reason"] == "no_scorer"
        scorer.start()
        until(lambda: predict(gateway, 1.0).status_code == 200, 5)


def test_a_scorer_of_another_version_is_not_used(
    hazardous: Built, versions: dict[str, Built], tmp_path: Path
) -> None:
    """Its hello shows another signature."""
    scorer = scorer_of(versions["pass"])
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        assert predict(gateway, 1.0).status_code == 503
        assert "it serves another version (of 'pass')" in gateway.log()


def test_a_socket_of_somebody_else_is_not_used(hazardous: Built, tmp_path: Path) -> None:
    """Lstat tells the owner; a link to a good socket is none either."""
    if os.geteuid() != 0:
        pytest.skip("giving a file away needs root")
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        until(lambda: predict(gateway, 1.0).status_code == 200, 5)
        scorer.kill()
        scorer.start()
        os.chown(scorer.path, 65534, 65534)
        until(lambda: "is no socket of user 0" in gateway.log())
        assert predict(gateway, 1.0).status_code == 503
        os.chown(scorer.path, 0, 0)
        until(lambda: predict(gateway, 1.0).status_code == 200, 5)


def test_a_call_that_takes_too_long_is_504_and_the_scorer_is_given_up(
    hazardous: Built, tmp_path: Path
) -> None:
    """The next scorer on that path answers."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    limits = {"TILTYARD_GATEWAY__ANSWER_TIMEOUT_S": "1"}
    with running(tmp_path, table, scorer, **limits) as gateway:
        stopped(scorer)
        answer = predict(gateway, 1.0)
        assert answer.status_code == 504
        assert answer.json()["error"]["message"] == "There was no answer within 1 s."
        assert "a batch took longer than a call may" in gateway.log()
        scorer.kill()
        scorer.start()
        until(lambda: predict(gateway, 1.0).status_code == 200, 5)


def test_beyond_the_pending_calls_there_is_503_at_once(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """With Retry-After; those under way are answered."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    limits = {"TILTYARD_GATEWAY__MAX_PENDING_REQUESTS": "4"}
    with running(tmp_path, table, scorer, **limits) as gateway:
        pid = stopped(scorer)
        under_way = [calls.submit(predict, gateway, 1.0) for _ in range(4)]
        until(lambda: open_calls(gateway) == 4)
        answer = predict(gateway, 1.0)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["message"].startswith("4 calls are under way already")
        os.kill(pid, signal.SIGCONT)
        assert [a.result().status_code for a in under_way] == [200] * 4


def test_beyond_the_pending_rows_there_is_503(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """Few calls may still be too many rows."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    limits = {"TILTYARD_GATEWAY__MAX_PENDING_ROWS": "1000"}
    with running(tmp_path, table, scorer, **limits) as gateway:
        pid = stopped(scorer)
        under_way = calls.submit(gateway.predict, MODEL, *[GOOD] * 900)
        until(lambda: open_calls(gateway) == 1)
        answer = gateway.predict(MODEL, *[GOOD] * 200)
        assert answer.status_code == 503
        assert answer.json()["error"]["message"].startswith("900 rows are waiting already")
        os.kill(pid, signal.SIGCONT)
        assert under_way.result().status_code == 200


def test_sigterm_lets_calls_end(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """They are answered, then the process ends with 0 within 5 s; idle clients do not keep it."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway, httpx.Client() as idle:
        idle.get(f"{gateway.url}/healthz")
        pid = stopped(scorer)
        under_way = calls.submit(predict, gateway, 1.0)
        until(lambda: open_calls(gateway) == 1)
        assert gateway.process is not None
        gateway.process.terminate()
        time.sleep(0.5)
        os.kill(pid, signal.SIGCONT)
        assert under_way.result().status_code == 200
        assert under_way.result().headers["connection"] == "close"
        assert gateway.process.wait(5) == 0
        assert len(gateway.records()) == 1


def test_sigterm_does_not_wait_for_a_call_that_never_ends(
    hazardous: Built, tmp_path: Path, calls: ThreadPoolExecutor
) -> None:
    """The process ends within 5 s all the same."""
    scorer = scorer_of(hazardous)
    table = make_table(model_route(hazardous[1], [scorer.endpoint]))
    with running(tmp_path, table, scorer) as gateway:
        stopped(scorer)
        calls.submit(predict, gateway, 1.0)
        until(lambda: open_calls(gateway) == 1)
        assert gateway.stop(timeout=5) == 0


def test_a_full_disk_is_503_and_recovers_alone(versions: dict[str, Built], tmp_path: Path) -> None:
    """What was answered is there, what was refused is not; metrics say it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    scorer = scorer_of(versions["classes"])
    table = make_table(model_route(versions["classes"][1], [scorer.endpoint]))
    (tmp_path / "spool").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path / "spool")]
    subprocess.run(mount, check=True)
    try:
        with running(tmp_path, table, scorer) as gateway:
            rows = [{"f0": i, "f1": 0.5} for i in range(200)]
            answered = 0
            while (answer := gateway.predict("classes", *rows)).status_code == 200:
                answered += 200
            error = answer.json()["error"]
            assert (answer.status_code, error["details"]) == (503, {"reason": "disk_full"})
            assert "disk is full" in error["message"]
            assert (
                "tiltyard_gateway_spool_disk_full 1.0" in httpx.get(f"{gateway.url}/metrics").text
            )
            assert len(gateway.records()) == answered
            subprocess.run([*mount[:-3], "remount,size=1m", *mount[-2:]], check=True)
            assert gateway.predict("classes", *rows).status_code == 200
            assert len(gateway.records()) == answered + 200
            gateway.end()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "spool")], check=True)


def test_an_occupied_port_is_told(versions: dict[str, Built], tmp_path: Path) -> None:
    """Exit code 3 and what to do."""
    table = make_table(model_route(versions["classes"][1], []))
    with running(tmp_path / "a", table) as gateway:
        second = Gateway(tmp_path / "b", {"TILTYARD_GATEWAY__PORT": str(gateway.port)})
        second.home.mkdir()
        with pytest.raises(AssertionError):
            second.start()
        assert second.process is not None
        assert second.process.wait(10) == 3
        assert "or set gateway.port" in second.log()


def test_two_gateways_on_one_spool_are_refused(versions: dict[str, Built], tmp_path: Path) -> None:
    """The second says so and ends."""
    table = make_table(model_route(versions["classes"][1], []))
    with running(tmp_path, table):
        second = Gateway(tmp_path, {})
        with pytest.raises(AssertionError):
            second.start()
        assert second.process is not None
        assert second.process.wait(10) != 0
        assert "Another gateway writes to" in second.log()
