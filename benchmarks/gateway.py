"""How fast is one-row predict, durable, against a bare server without a log?

``python benchmarks/gateway.py [--seconds 4] [--rounds 3] [--models logistic forest]``

For each model a real gateway and scorer, the peer (bare_asgi.py) and a bare write + fdatasync
loop are run one after the other, interleaved over rounds; medians are shown. Load, gateway,
scorer and peer share the machine. Then the overload: an open loop at twice the capacity.
Trust ratios of one run; a difference below 15 % says nothing.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support.gateway import (  # noqa: E402  the tests' gateway
    Scorer,
    free_port,
    make_table,
    model_route,
    prepare_home,
    running,
    socket_path,
)
from support.models import FEATURES, Kind, build_version_folder  # noqa: E402  likewise

TARGETS = {32: 1.2, 8: 0.6, 1: 0.3}
OVERLOAD_P99_MS = 60
OVERLOAD_CONNECTIONS = 512
LUA = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer application-token"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open(os.getenv("BODY"), "rb"):read("*a")
"""


def body() -> bytes:
    random.seed(1)
    row = {f"f{i}": round(random.gauss(0, 1), 12) for i in range(FEATURES)}
    return json.dumps({"rows": [row]}).encode()


class Loader:
    """wrk if it is there, else our own closed loop."""

    def __init__(self, folder: Path) -> None:
        self.wrk = shutil.which("wrk")
        self.body = body()
        self.script, self.body_file = folder / "post.lua", folder / "body.json"
        self.script.write_text(LUA)
        self.body_file.write_bytes(self.body)

    def closed(self, url: str, connections: int, seconds: float) -> dict[str, Any]:
        if self.wrk is None:
            return self._own(url, connections, seconds)
        command = [self.wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
        done = subprocess.run(
            [*command, "-s", str(self.script), url],
            env={**os.environ, "BODY": str(self.body_file)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Non-2xx" not in done.stdout, done.stdout
        assert "Requests/sec:      0" not in done.stdout, done.stdout
        return _of_wrk(done.stdout)

    def opened(self, url: str, seconds: float, rate: float) -> dict[str, Any]:
        return self._own(url, OVERLOAD_CONNECTIONS, seconds, rate)

    def _own(self, url: str, connections: int, seconds: float, *rate: float) -> dict[str, Any]:
        arguments = [url, str(connections), str(seconds), *map(str, rate)]
        command = [sys.executable, str(HERE / "http_load.py"), *arguments]
        done = subprocess.run(command, input=self.body, capture_output=True, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def _of_wrk(text: str) -> dict[str, Any]:
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    found = {p: re.search(rf"\s{p}%\s+([\d.]+)(us|ms|s)", text) for p in (50, 99)}
    times = {p: float(m[1]) * unit[m[2]] for p, m in found.items() if m}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    return {"rate": float(rate[1]) if rate else 0.0, "p50_ms": times[50], "p99_ms": times[99]}


def fdatasync_loop(folder: Path, seconds: float, records: int) -> dict[str, Any]:
    """Append and sync batches of 1 kB records, and nothing else."""
    fd = os.open(folder / "sync.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    data, times = os.urandom(1000 * records), []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        os.write(fd, data)
        os.fdatasync(fd)
        times.append(time.perf_counter() - begun)
    os.close(fd)
    times.sort()
    return {
        "rate": records * len(times) / sum(times),
        "p50_ms": 1000 * times[len(times) // 2],
        "p99_ms": 1000 * times[len(times) * 99 // 100],
    }


def bare(stack: ExitStack, folder: Path) -> str:
    """Start the peer; return its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "bare_asgi.py"), str(folder), str(port)])
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)
    time.sleep(3)
    return f"http://127.0.0.1:{port}/"


def measure(kind: Kind, seconds: float, rounds: int, overload: bool) -> None:
    """Print the table of one model."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE)))
        (home := folder / "home").mkdir()
        manifest = build_version_folder(kind, folder / "version")
        scorer = Scorer(folder / "version", "onnx", socket_path(folder))
        table = make_table(model_route(manifest, [scorer.endpoint]))
        prepare_home(home, table)
        gateway = stack.enter_context(running(home, table, scorer))
        urls = {
            "bare ASGI + ONNX, no log": bare(stack, folder / "version"),
            "gateway, durable": f"{gateway.url}/models/{kind}/predict",
        }
        stack.callback(lambda: print(gateway.log()))
        loader = Loader(folder)
        results: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for _ in range(rounds):
            for connections in TARGETS:
                for name, url in urls.items():
                    one = loader.closed(url, connections, seconds)
                    results.setdefault((name, connections), []).append(one)
                one = fdatasync_loop(folder, 1, connections)
                results.setdefault(("bare fdatasync loop", connections), []).append(one)
        report(kind, results)
        if overload:
            report_overload(loader, urls["gateway, durable"], results, seconds)


def report(kind: str, results: dict[tuple[str, int], list[dict[str, Any]]]) -> None:
    """Print medians, and ratios against the targets."""
    print(f"\n{kind}: one-row predict, req/s, p50 and p99 in ms (medians)")
    medians: dict[tuple[str, int], float] = {}
    for (name, connections), found in sorted(results.items(), key=lambda r: (r[0][1], r[0][0])):
        rate, p50, p99 = (
            statistics.median(one[k] for one in found) for k in ("rate", "p50_ms", "p99_ms")
        )
        medians[name, connections] = rate
        print(f"  {connections:3} x {name:26} {rate:9.0f}  {p50:7.2f} {p99:7.2f}")
    for connections, target in TARGETS.items():
        names = ("gateway, durable", "bare ASGI + ONNX, no log")
        ratio = medians[names[0], connections] / medians[names[1], connections]
        verdict = "reached" if ratio >= target else "MISSED"
        print(f"  {connections:3} connections: {ratio:.2f} x bare, target {target} {verdict}")


def report_overload(
    loader: Loader,
    url: str,
    results: dict[tuple[str, int], list[dict[str, Any]]],
    seconds: float,
) -> None:
    """Print what twice the capacity does to the served."""
    capacity = statistics.median(one["rate"] for one in results["gateway, durable", 32])
    for times in (0.5, 2.0):
        found = loader.opened(url, seconds, capacity * times)
        print(
            f"  open loop at {times} x {capacity:.0f}/s: served {found['rate']:.0f}/s, "
            f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms "
            f"(target < {OVERLOAD_P99_MS}), {found['statuses']}, "
            f"unsent {found['unsent']}, lost {found['lost']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["logistic", "forest"])
    parser.add_argument("--no-overload", action="store_true")
    options = parser.parse_args()
    for kind in options.models:
        measure(kind, options.seconds, options.rounds, not options.no_overload)


if __name__ == "__main__":
    main()
