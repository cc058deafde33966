"""How fast is one-row predict, durable, against a bare server without a log?

``python benchmarks/gateway.py [--seconds 2] [--rounds 5] [--models logistic forest]
[--client wrk|own]``

For each model a real gateway and scorer, the peer (bare_asgi.py) and a bare write + fdatasync
loop are run one after the other, interleaved over rounds; medians are shown, and the median of
each round's ratio. Load, gateway, scorer and peer share the machine: a client that costs more
(``own``, in Python) takes from both, so ratios at one connection depend on it. Then the
overload: an open loop at twice the capacity that the same client finds in a closed one.
Trust ratios of one run; a difference below 15 % says nothing.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
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
    running,
    socket_path,
)
from support.models import FEATURES, Kind, build_version_folder  # noqa: E402  likewise

BARE, GATEWAY, DISK = "bare ASGI + ONNX, no log", "gateway, durable", "bare fdatasync loop"
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
    """Return the request: one row of 30 columns."""
    random.seed(1)
    row = {f"f{i}": round(random.gauss(0, 1), 12) for i in range(FEATURES)}
    return json.dumps({"rows": [row]}).encode()


class Loader:
    """wrk if it is there and wanted, else our own closed loop."""

    def __init__(self, folder: Path, client: str) -> None:
        self.wrk = shutil.which("wrk") if client == "wrk" else None
        self.body = body()
        self.script, self.body_file = folder / "post.lua", folder / "body.json"
        self.script.write_text(LUA)
        self.body_file.write_bytes(self.body)

    def closed(self, url: str, connections: int, seconds: float) -> dict[str, Any]:
        """Return rate and latencies of a closed loop."""
        if self.wrk is None:
            return self.own(url, connections, seconds)
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

    def own(self, url: str, connections: int, seconds: float, *rate: float) -> dict[str, Any]:
        """Do the same with our own client; with a rate, in an open loop."""
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
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return f"http://127.0.0.1:{port}/"
        time.sleep(0.1)
    raise TimeoutError("the peer did not start")


def measure(kind: Kind, options: argparse.Namespace) -> None:
    """Print the table of one model."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE)))
        manifest = build_version_folder(kind, folder / "version")
        scorer = Scorer(folder / "version", "onnx", socket_path(folder))
        table = make_table(model_route(manifest, [scorer.endpoint]))
        gateway = stack.enter_context(running(folder / "home", table, scorer))
        urls = {
            BARE: bare(stack, folder / "version"),
            GATEWAY: f"{gateway.url}/models/{kind}/predict",
        }
        loader = Loader(folder, options.client)
        results: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for _ in range(options.rounds):
            for connections in TARGETS:
                for name, url in urls.items():
                    one = loader.closed(url, connections, options.seconds)
                    results[name, connections].append(one)
                results[DISK, connections].append(fdatasync_loop(folder, 0.5, connections))
        report(kind, results)
        report_overload(loader, urls[GATEWAY], options.seconds)


def report(kind: str, results: dict[tuple[str, int], list[dict[str, Any]]]) -> None:
    """Print medians, and ratios against the targets."""
    print(f"\n{kind}: one-row predict, req/s, p50 and p99 in ms (medians)")
    for connections, target in TARGETS.items():
        for name in (BARE, GATEWAY, DISK):
            found = results[name, connections]
            rate, p50, p99 = (
                statistics.median(one[k] for one in found) for k in ("rate", "p50_ms", "p99_ms")
            )
            print(f"  {connections:3} x {name:26} {rate:9.0f}  {p50:7.2f} {p99:7.2f}")
        pairs = zip(results[GATEWAY, connections], results[BARE, connections], strict=True)
        ratios = sorted(ours["rate"] / theirs["rate"] for ours, theirs in pairs)
        ratio = statistics.median(ratios)
        verdict = "reached" if ratio >= target else "MISSED"
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"        ratio {ratio:.2f} ({spread}), target {target}: {verdict}")


def report_overload(loader: Loader, url: str, seconds: float) -> None:
    """Print what half and twice the capacity do to the served."""
    capacity = loader.own(url, 32, seconds)["rate"]
    for times in (0.5, 2.0):
        found = loader.own(url, OVERLOAD_CONNECTIONS, seconds, capacity * times)
        print(
            f"  open loop at {times} x {capacity:.0f}/s: served {found['rate']:.0f}/s, "
            f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms "
            f"(target < {OVERLOAD_P99_MS}), {found['statuses']}, "
            f"unsent {found['unsent']}, lost {found['lost']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--client", choices=["wrk", "own"], default="wrk")
    parser.add_argument("--models", nargs="+", default=["logistic", "forest"])
    options = parser.parse_args()
    for kind in options.models:
        measure(kind, options)


if __name__ == "__main__":
    main()
