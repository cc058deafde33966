"""An application under load, as a process of its own: it keeps what was acknowledged.

``python load.py URL MODEL FOLDER`` with the token in ``APPLICATION_TOKEN``. Each connection is
a thread that calls at its share of the rate and, for some of its predictions, sends the actual
a little later. Ends at SIGTERM, with its parent, or after ``--seconds``.
Writes into FOLDER, line by line:

- ``acknowledged.jsonl``: ``[id, version, value, row, begun, ended]``, clock ``CLOCK_MONOTONIC``
- ``actuals.jsonl``: ``[id, value]`` of the actuals that were accepted
- ``failures.jsonl``: ``[what, begun, ended]``
"""

import argparse
import http.client
import json
import os
import random
import signal
import threading
from collections import deque
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TextIO
from urllib.parse import urlsplit

LEVELS = ["dawn", "noon", "dusk", "night"]
ACTUAL_AFTER_S = 0.5
PAUSE_AFTER_FAILURE_S = 0.05

ending = threading.Event()


class Journal:
    """A file of JSON lines that several threads write; each line is written at once."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, line: list[Any]) -> None:
        """Append a line."""
        with self._lock:
            self._file.write(json.dumps(line) + "\n")


class Caller(threading.Thread):
    """One keep-alive connection."""

    def __init__(self, arguments: argparse.Namespace, number: int, journals: list[Journal]):
        super().__init__(daemon=True)
        self._arguments = arguments
        self._random = random.Random(f"{arguments.seed}/{number}")
        self._acknowledged, self._actuals, self._failures = journals
        self._waiting: deque[tuple[float, str, float]] = deque()
        self._connection: http.client.HTTPConnection | None = None
        self._pause = arguments.connections / arguments.rate
        self._headers = {
            "authorization": f"Bearer {os.environ['APPLICATION_TOKEN']}",
            "content-type": "application/json",
        }

    def run(self) -> None:
        """Call at a steady rate; a call that is late is not made up for."""
        while not ending.is_set():
            begun = monotonic()
            self._predict(begun)
            self._send_actuals()
            sleep(max(0.0, begun + self._pause - monotonic()))

    def _predict(self, begun: float) -> None:
        row = make_row(self._random, plain=self._arguments.plain)
        answer = self._post("predict", {"rows": [row]}, begun)
        if answer is None:
            return
        (prediction,) = answer["predictions"]
        line = [prediction["id"], answer["version"], prediction["value"], row, begun, monotonic()]
        self._acknowledged.write(line)
        if self._random.random() < self._arguments.actuals:
            actual = round(self._random.uniform(0, 100), 3)
            self._waiting.append((begun + ACTUAL_AFTER_S, prediction["id"], actual))

    def _send_actuals(self) -> None:
        while self._waiting and self._waiting[0][0] <= monotonic():
            _, name, value = self._waiting.popleft()
            body = {"actuals": [{"id": name, "value": value}]}
            if self._post("actuals", body, monotonic()) is not None:
                self._actuals.write([name, value])

    def _post(self, verb: str, body: Any, begun: float) -> Any:
        path = f"/models/{self._arguments.model}/{verb}"
        try:
            if self._connection is None:
                address = urlsplit(self._arguments.url)
                self._connection = http.client.HTTPConnection(
                    str(address.hostname), address.port, timeout=40
                )
            self._connection.request("POST", path, json.dumps(body), self._headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return self._failed(f"{verb}: {type(error).__name__}", begun)
        if answer.status not in {200, 202}:
            return self._failed(f"{verb}: {answer.status} {text[:300].decode()}", begun)
        return json.loads(text)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _failed(self, what: str, begun: float) -> None:
        self._failures.write([what, begun, monotonic()])
        sleep(PAUSE_AFTER_FAILURE_S)


def make_row(rng: random.Random, *, plain: bool) -> dict[str, Any]:
    """Return a row that differs from every other.

    Args:
        rng: where it comes from.
        plain: a row that every version of the test's model takes; else some refuse some.
    """
    gap = not plain and rng.random() < 0.05
    return {
        "x": rng.uniform(-3, 3),
        "y": None if gap else rng.gauss(0, 1),
        "part": rng.choice(LEVELS[:3] if plain else LEVELS),
    }


def main() -> None:
    """Run all connections until SIGTERM, the parent's end or the time's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, default=320.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--actuals", type=float, default=0.3)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--plain", action="store_true", help="rows that every version takes")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = ("acknowledged", "actuals", "failures")
    journals = [Journal(arguments.folder / f"{name}.jsonl") for name in names]
    callers = [Caller(arguments, i, journals) for i in range(arguments.connections)]
    for caller in callers:
        caller.start()
    stop = [False]
    signal.signal(signal.SIGTERM, lambda *_: stop.__setitem__(0, True))
    parent, end = os.getppid(), monotonic() + arguments.seconds
    while not stop[0] and os.getppid() == parent and monotonic() < end:
        sleep(0.05)
    ending.set()
    for caller in callers:
        caller.join(45)


if __name__ == "__main__":
    main()
