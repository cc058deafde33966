"""A version that is exported, and containers of its image."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
from docker import DockerClient
from docker.models.containers import Container
from docker.models.networks import Network
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from typer.testing import CliRunner, Result

from support import hazard, typed
from tiltyard.cli.app import app
from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest

RUNNER = CliRunner()
PORT = 8080
STARTUP_S = 30.0


class Site(NamedTuple):
    """A control that knows a version, the command line on it, and what to remove at the end."""

    folder: Path
    manifest: VersionManifest
    environment: dict[str, str]
    tag: str

    def cli(self, *words: str, exits: int = 0, **environment: str) -> Result:
        """Run a command, which must exit so."""
        result = RUNNER.invoke(app, words, env=self.environment | environment)
        assert result.exit_code == exits, (result.output, result.exception)
        return result

    def package(self, *words: str, exits: int = 0, **environment: str) -> Result:
        """Export version 1."""
        return self.cli("package", typed.MODEL, "1", *words, exits=exits, **environment)


def build(folder: Path) -> VersionManifest:
    """Build a version like `typed`, whose scorer ends when ``count`` is 666."""
    numbers = make_pipeline(FunctionTransformer(hazard.stumble), SimpleImputer())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["count", "size", "gap", typed.WEIRD]),
            ("levels", OneHotEncoder(handle_unknown="ignore"), ["color", "shape", "finish"]),
            ("flags", "passthrough", ["flag"]),
        ]
    )
    policies = {"color": "refuse", "shape": "missing", "finish": "pass"}
    options = Options(model=typed.MODEL, target="speed", unknown_levels=policies, code=[hazard])
    estimator = make_pipeline(columns, LinearRegression())
    return build_version(folder, estimator, typed.frame(), options)


def wait_until(
    done: Callable[[], bool], told: Callable[[], str], seconds: float = STARTUP_S
) -> None:
    """Return once it is done; fail with what is told."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


class Exported:
    """A container of an exported image, which may do nothing that it need not."""

    def __init__(self, container: Container, network: Network) -> None:
        self.container = container
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        self.url = f"http://{networks[network.name]['IPAddress']}:{PORT}"

    @property
    def log(self) -> str:
        """What it said."""
        said: bytes = self.container.logs()
        return said.decode()

    def wait(self) -> None:
        """Wait until it answers calls."""
        wait_until(self._ready, lambda: self.log)

    def scorer_pid(self) -> str:
        """Return its scorer's process id, as seen inside."""
        code, out = self.container.exec_run(["python", "-c", FIND])
        assert code == 0, out
        return str(out.decode().strip())

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


FIND = """
import psutil
print(*[p.pid for p in psutil.process_iter() if "tiltyard.scoring" in p.cmdline()])
"""


def start(
    stack: ExitStack, engine: DockerClient, network: Network, image: str, **environment: str
) -> Exported:
    """Run an image as its users would: nothing but /tmp can be written, no rights."""
    container = engine.containers.run(
        image,
        detach=True,
        network=network.name,
        read_only=True,
        tmpfs={"/tmp": ""},  # noqa: S108  the container's own
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="512m",
        pids_limit=64,
        environment=environment,
    )
    stack.callback(container.remove, force=True, v=True)
    return Exported(container, network)
