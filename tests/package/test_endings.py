"""An exported image when its scorer dies, a row kills it, or it is told to end."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from docker import DockerClient
from docker.models.networks import Network

from support import typed
from support.gateway import TOKEN
from support.packaged import Exported, Site, start, wait_until
from support.typed import row

pytestmark = pytest.mark.slow

KILLS = 666
BACK_S = 5.0


def predict(exported: Exported, *rows: Any, token: str | None = TOKEN) -> httpx.Response:
    """Send rows."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = f"{exported.url}/models/{typed.MODEL}/predict"
    return httpx.post(url, json={"rows": rows}, headers=headers, timeout=40)


def insist(exported: Exported, one: Any) -> httpx.Response:
    """Send a row, again for as long as the answer is to come back later."""
    end = time.monotonic() + 40
    while (answer := predict(exported, one)).status_code == 503 and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is undone at the end of a test."""
    with ExitStack() as stack:
        yield stack


def test_a_killed_scorer_is_started_again(exported: Exported) -> None:
    """Calls are answered again within 5 s; until then they are told to come back."""
    before = predict(exported, row()).json()["predictions"][0]["value"]
    exported.container.exec_run(["kill", "-9", exported.scorer_pid()])
    killed, statuses = time.monotonic(), set()
    while (answer := predict(exported, row())).status_code != 200:
        statuses.add(answer.status_code)
        assert time.monotonic() - killed < BACK_S, exported.log
        time.sleep(0.02)
    assert answer.json()["predictions"][0]["value"] == before
    assert statuses <= {503}


def test_a_row_that_kills_is_refused_and_the_others_are_served(exported: Exported) -> None:
    """Only the row that kills is blamed; who comes while no scorer is there calls again."""
    exported.wait()
    calls = [row(size=float(i)) for i in range(6)] + [row(count=KILLS)]
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(lambda one: insist(exported, one), calls))
    assert [a.status_code for a in answers] == [200] * 6 + [422]
    assert "died twice on this row" in answers[-1].json()["error"]["message"]


def test_it_ends_when_told_and_answers_what_it_has_begun(
    engine: DockerClient, site: Site, printed: str, network: Network, stack: ExitStack
) -> None:
    """Without a token it says that anybody may call; `docker stop` loses no call."""
    made = start(stack, engine, network, site.tag, PORT="8080")
    made.wait()
    assert "anybody who reaches it is answered" in made.log
    rows = [row(size=i / 9) for i in range(4000)]
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(predict, made, *rows, token=None) for _ in range(4)]
        wait_until(lambda: any(_open_calls(made)), lambda: "no call began")
        began = time.monotonic()
        made.container.stop(timeout=10)
        took = time.monotonic() - began
    assert took < 5
    assert made.container.wait()["StatusCode"] == 0
    assert [call.result().status_code for call in calls] == [200] * 4


def _open_calls(exported: Exported) -> list[int]:
    text = httpx.get(f"{exported.url}/metrics", timeout=10).text
    found = [line for line in text.splitlines() if line.startswith("tiltyard_gateway_calls_open")]
    return [int(float(line.split()[-1])) for line in found]


WRONG = {
    "an empty token": ({"TILTYARD_TOKEN": " "}, 2, "The token is empty"),
    "a token's file that is not there": ({"TILTYARD_TOKEN_FILE": "/run/no"}, 2, "cannot be read"),
    "a port that is none": ({"PORT": "http"}, 2, "PORT 'http' is no port"),
    "a limit that is none": ({"TILTYARD_GATEWAY__MAX_ROWS": "x"}, 2, "gateway.max_rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_does_not_start_with(
    name: str,
    engine: DockerClient,
    site: Site,
    printed: str,
    network: Network,
    stack: ExitStack,
) -> None:
    """It ends with a sentence rather than to serve something else."""
    environment, code, said = WRONG[name]
    made = start(stack, engine, network, site.tag, **environment)
    assert made.container.wait(timeout=20)["StatusCode"] == code
    assert said in made.log
