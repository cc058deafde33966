"""What containers cost: deploy to first answer, and calls through a container's scorer.

``python benchmarks/containers.py --images images.lock [--rounds 5] [--seconds 2]``

Two installations of the same version run side by side, one with its scorer as a process (the
peer), one with it in a container; calls go to one after the other, interleaved over rounds.
Then each round deploys one more version and promotes it, by the command line, until it answers.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]

from gateway import Loader  # noqa: E402  beside this file
from loop.yard import Yard, docker_settings, wait_for  # noqa: E402  the tests' installation
from support.control import tar_of  # noqa: E402  likewise
from support.yard import MODEL, TARGET, Versions, history  # noqa: E402  likewise
from tiltyard.client.frames import to_batches  # noqa: E402

CONNECTIONS = (32, 8, 1)
LEAST_RATIO = 0.9
LONGEST_S = 5.0


def furnish(yard: Yard, versions: Versions) -> str:
    """Let version 1 answer; return an application's token."""
    with yard.client() as client:
        schema, batches = to_batches(history())
        client.put_history(MODEL, schema, batches, task="regression", target=TARGET)
        client.add_version(MODEL, tar_of(versions.folder(2)))
        client.deploy(MODEL, 1)
        wait_for(lambda: client.deployments(MODEL)[-1].state == "healthy", 60, "healthy")
        client.promote(MODEL, 1, None, "benchmark")
        return client.issue_token("benchmark", [MODEL]).token


def calls(yards: dict[str, Yard], tokens: dict[str, str], options: argparse.Namespace) -> None:
    """Print rates through both, and the ratio of each round."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        loaders = {name: _loader(Path(folder), name, token) for name, token in tokens.items()}
        for _ in range(options.rounds):
            for connections in CONNECTIONS:
                for name, yard in yards.items():
                    url = f"{yard.gateway_url}/models/{MODEL}/predict"
                    one = loaders[name].closed(url, connections, options.seconds)
                    found.setdefault((name, connections), []).append(one)
    print("one-row predict, req/s and p50, p99 in ms (medians)")
    for connections in CONNECTIONS:
        for name in yards:
            figures = found[name, connections]
            rate, p50, p99 = (
                statistics.median(one[k] for one in figures) for k in ("rate", "p50_ms", "p99_ms")
            )
            print(f"  {connections:3} x {name:10} {rate:8.0f} {p50:7.2f} {p99:7.2f}")
        pairs = zip(found["docker", connections], found["process", connections], strict=True)
        ratios = sorted(ours["rate"] / theirs["rate"] for ours, theirs in pairs)
        print(
            f"        ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}), target {LEAST_RATIO}"
        )


def _loader(folder: Path, name: str, token: str) -> Loader:
    own = folder / name
    own.mkdir()
    loader = Loader(own, "wrk")
    loader.body = b'{"rows": [{"x": 1.0, "y": 0.5, "part": "noon"}]}'
    loader.body_file.write_bytes(loader.body)
    loader.script.write_text(loader.script.read_text().replace("application-token", token))
    return loader


def deployments(yard: Yard, token: str, versions: Versions, rounds: int) -> None:
    """Print how long it takes from the command to the first answer of the new version."""
    took = []
    champion = 1
    tiltyard = (sys.executable, "-m", "tiltyard.cli")
    with yard.client() as client, httpx.Client(timeout=10) as http:
        for _ in range(rounds):
            version = client.add_version(MODEL, tar_of(_another(versions, champion))).version
            begun = time.perf_counter()
            for words in (
                ("deploy", MODEL, str(version)),
                ("promote", MODEL, str(version), "--reason", "benchmark"),
            ):
                subprocess.run((*tiltyard, *words), env=yard.environment, check=True)
            answer = http.post(
                f"{yard.gateway_url}/models/{MODEL}/predict",
                json={"rows": [{"x": 1.0, "y": 0.5, "part": "noon"}]},
                headers={"authorization": f"Bearer {token}"},
            )
            took.append(time.perf_counter() - begun)
            assert answer.json()["version"] == version, answer.text
            champion = version
    told = ", ".join(f"{seconds:.1f}" for seconds in took)
    print(
        f"deploy, promote, first answer: median {statistics.median(took):.1f} s ({told}), "
        f"target < {LONGEST_S:g} s"
    )


def _another(versions: Versions, number: int) -> Path:
    """Return the folder of a further version of the same estimator."""
    folder = versions.folder(2).parent / f"another {number}"
    shutil.copytree(versions.folder(2), folder)
    manifest = json.loads((folder / "version.json").read_text())
    manifest["parameters"]["benchmark"] = number
    (folder / "version.json").write_text(json.dumps(manifest))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="a record of built images")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        versions = Versions(folder)
        environments = {"process": {}, "docker": docker_settings(options.images.absolute())}
        yards = {}
        for name, environment in environments.items():
            (folder / name).mkdir()
            yards[name] = Yard(folder / name, **environment)
            stack.callback(yards[name].stop)
            yards[name].start()
        tokens = {name: furnish(yard, versions) for name, yard in yards.items()}
        calls(yards, tokens, options)
        deployments(yards["docker"], tokens["docker"], versions, options.rounds)


if __name__ == "__main__":
    main()
