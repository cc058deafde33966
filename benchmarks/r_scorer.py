"""One-row predictions of R models: Tiltyard's gateway, spool and all, against plumber.

``python benchmarks/r_scorer.py [--seconds 3] [--rounds 5] [--models forest glm]``

A randomForest (500 trees) and a glm of iris, served by plumber as it comes, by plumber with
TCP_NODELAY (a preloaded library: httpuv does not set it), and by a gateway with its scorer; all
have R from this machine (Debian: r-cran-plumber, r-cran-randomforest; wrk, gcc). Interleaved over
rounds; medians, and the median of each round's ratio to the better plumber. Then the idle memory
(PSS), and with ``--image ID`` the time from `docker run` of scorer-r to the first answer.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

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
from tiltyard.errors import UnavailableError  # noqa: E402
from tiltyard.packaging.folder import seal  # noqa: E402
from tiltyard.scoring.client import ScorerClient  # noqa: E402
from tiltyard.scoring.engines.r.engine import REngine  # noqa: E402
from tiltyard.scoring.golden import GOLDEN_FILE, PREFIX  # noqa: E402
from tiltyard.scoring.rows import pack_rows  # noqa: E402
from tiltyard.scoring.tables import scores_columns, write_table  # noqa: E402
from tiltyard.types.registry import VersionManifest  # noqa: E402
from tiltyard.types.schema import (  # noqa: E402
    Column,
    ColumnType,
    Label,
    Output,
    Signature,
    Task,
)

SCRIPT = HERE / "r_scorer.R"
STOCK, NODELAY, OURS = "plumber", "plumber, TCP_NODELAY", "gateway, durable, and R"
CONNECTIONS = (1, 8, 32)
RATIO, P99 = 5.0, 1 / 3
FEATURES = ("Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width")
ROW = dict(zip(FEATURES, (6.1, 2.9, 4.8, 1.7), strict=True))
CLASSES: dict[str, tuple[Label, ...]] = {
    "forest": ("setosa", "versicolor", "virginica"),
    "glm": (False, True),
}
INPUTS = {"forest": FEATURES, "glm": FEATURES[1:]}
NODELAY_C = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
int accept4(int s, struct sockaddr *a, socklen_t *n, int flags) {
  static int (*next)(int, struct sockaddr *, socklen_t *, int);
  if (!next) next = dlsym(RTLD_NEXT, "accept4");
  int one = 1, fd = next(s, a, n, flags);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}
"""
LUA = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer application-token"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open(os.getenv("BODY"), "rb"):read("*a")
"""


def signature_of(kind: str) -> Signature:
    """Return the signature of a model."""
    named = isinstance(CLASSES[kind][0], str)
    output = Output(
        name="species",
        type=ColumnType.STRING if named else ColumnType.BOOL,
        classes=CLASSES[kind],
        probabilities=True,
    )
    inputs = (Column(name=name, type=ColumnType.FLOAT64) for name in INPUTS[kind])
    return Signature(inputs=tuple(inputs), output=output)


def make_version(kind: str, folder: Path) -> VersionManifest:
    """Make a version of a folder that holds a model."""
    signature = signature_of(kind)
    fields: dict[str, Any] = {
        "model": kind,
        "task": Task.CLASSIFICATION,
        "language": "r",
        "engine": "r",
        "signature": signature,
        "dtypes": dict.fromkeys(INPUTS[kind], "double"),
        "created_at": datetime.now(UTC),
    }
    rows = [{name: value * (1 + i / 100) for name, value in ROW.items()} for i in range(100)]
    with contextlib.closing(REngine(folder, VersionManifest(files={}, **fields), 1)) as engine:
        scores = engine.score(len(rows), *pack_rows(signature, rows))
    columns = {name: pa.array([row[name] for row in rows]) for name in INPUTS[kind]}
    table = pa.table(columns | scores_columns(signature.output, scores, PREFIX))
    write_table(folder / GOLDEN_FILE, table)
    return seal(folder, **fields)


def plumber(stack: ExitStack, folder: Path, library: Path | None = None) -> tuple[str, int]:
    """Start plumber; return its URL and process."""
    port = free_port()
    environment = {**os.environ, **({"LD_PRELOAD": str(library)} if library else {})}
    command = ["Rscript", "--vanilla", str(SCRIPT), "serve", str(folder), str(port)]
    process = subprocess.Popen(command, env=environment)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return f"http://127.0.0.1:{port}/predict", process.pid
        time.sleep(0.1)
    raise TimeoutError("plumber did not start")


def load(folder: Path, url: str, body: Path, connections: int, seconds: int) -> dict[str, float]:
    """Return rate and latencies of a closed loop of wrk."""
    script = folder / "post.lua"
    script.write_text(LUA)
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"),
            *("--latency", "-s", str(script), url),
        ],
        env={**os.environ, "BODY": str(body)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Non-2xx" not in done.stdout, done.stdout
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    found = {p: re.search(rf"\s{p}%\s+([\d.]+)(us|ms|s)", done.stdout) for p in (50, 99)}
    times = {p: float(m[1]) * unit[m[2]] for p, m in found.items() if m}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None, done.stdout
    return {"rate": float(rate[1]), "p50": times[50], "p99": times[99]}


def memory(pid: int) -> float:
    """Return the MB of a process and its children: each page divided by those who share it."""
    proc = Path("/proc") / str(pid)
    found = re.search(r"Pss:\s+(\d+)", (proc / "smaps_rollup").read_text())
    children = [p for file in proc.glob("task/*/children") for p in file.read_text().split()]
    return (int(found[1]) / 1024 if found else 0) + sum(memory(int(child)) for child in children)


def measure(kind: str, options: argparse.Namespace) -> None:
    """Print the table of one model."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE)))
        library, source = folder / "nodelay.so", folder / "nodelay.c"
        source.write_text(NODELAY_C)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        subprocess.run(["Rscript", "--vanilla", SCRIPT, "models", folder], check=True)
        manifest = make_version(kind, folder / kind)
        scorer = Scorer(folder / kind, "r", socket_path(folder))
        table = make_table(model_route(manifest, [scorer.endpoint]))
        gateway = stack.enter_context(running(folder / "home", table, scorer))
        assert scorer.process is not None
        assert gateway.process is not None
        stock, stock_pid = plumber(stack, folder / kind)
        nodelay, _ = plumber(stack, folder / kind, library)
        urls = {STOCK: stock, NODELAY: nodelay, OURS: f"{gateway.url}/models/{kind}/predict"}
        body = folder / "body.json"
        body.write_text(json.dumps({"rows": [{name: ROW[name] for name in INPUTS[kind]}]}))
        idle = {STOCK: memory(stock_pid), "scorer": memory(scorer.process.pid)}
        idle["gateway"] = memory(gateway.process.pid)
        found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
        for _ in range(options.rounds):
            for connections in CONNECTIONS:
                for name, url in urls.items():
                    one = load(folder, url, body, connections, options.seconds)
                    found[name, connections].append(one)
        report(kind, found)
        print("  idle, MB:", ", ".join(f"{name} {mb:.0f}" for name, mb in idle.items()))
        print(f"  scorer after load: {memory(scorer.process.pid):.0f} MB")
        if options.image:
            report_start(kind, folder, options)


def report(kind: str, found: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    """Print medians, and ratios against the targets."""
    print(f"\n{kind}: one-row predict, req/s, p50 and p99 in ms (medians)")
    for connections in CONNECTIONS:
        for name in (STOCK, NODELAY, OURS):
            of_name = found[name, connections]
            rate, p50, p99 = (
                statistics.median(one[k] for one in of_name) for k in ("rate", "p50", "p99")
            )
            print(f"  {connections:3} x {name:26} {rate:9.0f}  {p50:7.2f} {p99:7.2f}")
        rates, tails = [], []
        for ours, *theirs in zip(
            *(found[name, connections] for name in (OURS, STOCK, NODELAY)), strict=True
        ):
            better = max(theirs, key=lambda one: one["rate"])
            rates.append(ours["rate"] / better["rate"])
            tails.append(ours["p99"] / better["p99"])
        rate, tail = statistics.median(rates), statistics.median(tails)
        reached = (
            "" if connections == 1 else "reached" if rate >= RATIO and tail < P99 else "MISSED"
        )
        print(f"        {rate:.2f} x the better plumber's rate, {tail:.2f} x its p99 {reached}")


def report_start(kind: str, folder: Path, options: argparse.Namespace) -> None:
    """Print the time from the start of a container to its first answer."""
    times = [start(kind, folder, options.image) for _ in range(options.rounds)]
    first, rest = times[0], times[1:] or times
    print(
        f"  container, from `docker run` to the first answer: {statistics.median(rest):.2f} s "
        f"({min(rest):.2f} to {max(rest):.2f}; the first time {first:.2f})"
    )


def start(kind: str, folder: Path, image: str) -> float:
    """Return the seconds from `docker run` to an answer."""
    with tempfile.TemporaryDirectory() as sockets:
        begun = time.perf_counter()
        options = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--init"]
        mounts = ["-v", f"{folder / kind}:/version:ro", "-v", f"{sockets}:/socket"]
        user = ["-u", f"{os.getuid()}:{os.getgid()}"]
        scorer = ["--folder", "/version", "--socket", "/socket/s.sock"]
        command = ["docker", "run", "-d", *options, *user, *mounts, image, *scorer]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        try:
            signature = signature_of(kind)
            while time.perf_counter() - begun < 30:
                with (
                    contextlib.suppress(UnavailableError),
                    ScorerClient(f"unix:{sockets}/s.sock") as client,
                ):
                    client.score(signature, [ROW])
                    return time.perf_counter() - begun
                time.sleep(0.005)
            raise TimeoutError("the container did not answer")
        finally:
            remove = ["docker", "rm", "-f", said.stdout.strip()]
            subprocess.run(remove, capture_output=True, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(CLASSES))
    parser.add_argument("--image", help="id of scorer-r, to time its start")
    options = parser.parse_args()
    for kind in options.models:
        measure(kind, options)


if __name__ == "__main__":
    main()
