"""Control as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.control import issue_tokens, make_home
from tiltyard.client.control import ControlClient
from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings

pytestmark = pytest.mark.slow


def environment(settings: Settings, port: int) -> dict[str, str]:
    """Return the environment of a control on a port."""
    return {
        **os.environ,
        "TILTYARD_HOME": str(settings.home),
        "TILTYARD_CONTROL__PORT": str(port),
        "TILTYARD_CONFIG": "/dev/null",
    }


def start(env: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start control."""
    command = [sys.executable, "-m", "tiltyard.control"]
    return subprocess.Popen(command, env=dict(env), stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(settings: Settings, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Run control until the context ends, at the latest."""
    process = start(environment(settings, port))
    try:
        until = time.monotonic() + 60
        with ControlClient(f"http://127.0.0.1:{port}") as client:
            while not answers(client):
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < until
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def answers(client: ControlClient) -> bool:
    """Whether control answers."""
    try:
        return client.health()["status"] == "ok"
    except TiltyardError:
        return False


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return exit code and what was told."""
    told = process.communicate(timeout=60)[1]
    return process.returncode, told


def test_an_occupied_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Exit code 3, no trace."""
    settings = make_home(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, told = ended(start(environment(settings, port)))
    assert code == 3
    assert f"Port {port} of 127.0.0.1 is in use" in told
    assert "Traceback" not in told


def test_a_registry_that_is_not_set_up_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Exit code 3, the command that mends it, no trace."""
    settings = Settings(home=tmp_path)
    code, told = ended(start(environment(settings, free_port())))
    assert code == 3
    assert "tiltyard init" in told
    assert "Traceback" not in told


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Exit code 2, as every error of usage."""
    env = environment(Settings(home=tmp_path), 1) | {"TILTYARD_CONTROL__PORT": "many"}
    code, told = ended(start(env))
    assert code == 2
    assert "control.port" in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_while_others_wait_and_follow(tmp_path: Path, number: int) -> None:
    """Long-polls are answered and event streams end; all within 3 s."""
    settings = make_home(tmp_path)
    tokens = issue_tokens(settings)
    port = free_port()
    outcomes: dict[str, object] = {}
    with running(settings, port) as process:
        url = f"http://127.0.0.1:{port}"

        def wait_for_routes() -> None:
            with ControlClient(url, tokens["gateway"]) as client:
                routes = client.routes()
                assert routes is not None
                outcomes["routes"] = client.routes(after=routes.number, wait_s=50)

        def follow_events() -> None:
            with ControlClient(url, tokens["viewer"]) as client:
                outcomes["events"] = sum(1 for _ in client.events(after=0)) > 0

        threads = [threading.Thread(target=t) for t in (wait_for_routes, follow_events)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=20)
        took = time.monotonic() - began
        for thread in threads:
            thread.join(10)
    assert outcomes == {"routes": None, "events": True}
    assert took < 3


def test_it_goes_on_after_kill_9(tmp_path: Path) -> None:
    """All its state is in the registry and the store."""
    settings = make_home(tmp_path)
    tokens = issue_tokens(settings)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(settings, port) as process, ControlClient(url, tokens["gateway"]) as client:
        gateway = client.register_gateway("g", "http://g", "spool")
        process.kill()
        process.wait(10)
    with running(settings, port), ControlClient(url, tokens["gateway"]) as client:
        assert [g.number for g in client.gateways()] == [gateway.number]


def test_memory_stays_bounded_while_a_large_history_passes(tmp_path: Path) -> None:
    """A history of 160 MB costs hardly more memory than one of a quarter."""
    settings = make_home(tmp_path)
    tokens = issue_tokens(settings)
    port = free_port()
    command = [sys.executable, "-c", LARGE, f"http://127.0.0.1:{port}", tokens["scientist"]]
    with running(settings, port) as process:
        subprocess.run([*command, "10"], check=True)
        before = peak_mb(process.pid)
        told = subprocess.run([*command, "40"], capture_output=True, text=True, check=True).stdout
        grown = peak_mb(process.pid) - before
    assert json.loads(told) == {"rows": 2_000_000}
    assert grown < 100, f"{grown:.0f} MB"


LARGE = """
import json, sys
import numpy as np, pyarrow as pa
from tiltyard.client.control import ControlClient
names = [f"x{i}" for i in range(9)] + ["y"]
rng = np.random.default_rng(1)
schema = pa.schema([(name, pa.float64()) for name in names])
def batches():
    for _ in range(int(sys.argv[3])):
        columns = [pa.array(rng.random(50_000)) for _ in names]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
with ControlClient(sys.argv[1], sys.argv[2]) as client:
    client.put_history("large", schema, batches(), task="regression", target="y")
    print(json.dumps({"rows": sum(b.num_rows for b in client.read_history("large"))}))
"""


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def test_raw_requests_that_are_no_http_do_no_harm(tmp_path: Path) -> None:
    """Garbage is a 400 or a closed connection; the next call is answered."""
    settings = make_home(tmp_path)
    port = free_port()
    with running(settings, port):
        for garbage in (b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"PUT / HTTP/1.1\r\n" * 100):
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(garbage)
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/health").status_code == 200
