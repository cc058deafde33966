"""An application in strict TypeScript, on a client generated from a model's document."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.gateway import TOKEN, Gateway
from support.rentals import RENTALS, rentals_gateway

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).with_name("typescript")
FILES = ("call.ts", "package.json", "package-lock.json", "tsconfig.json")
TIMEOUT_S = 240


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway in front of real scorers."""
    with rentals_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the TypeScript project, its packages installed."""
    folder = tmp_path / "typescript"
    folder.mkdir()
    for name in FILES:
        shutil.copy(SOURCE / name, folder)
    run(folder, "npm", "ci", "--no-audit", "--no-fund")
    return folder


def run(folder: Path, *command: str) -> str:
    """Run a program to its good end; return what it printed."""
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is needed: install nodejs and npm (apt-get install nodejs npm).")
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
def test_a_generated_client_compiles_and_calls(gateway: Gateway, project: Path) -> None:
    """The compiler knows the row's types; predictions, actuals and a refusal come as typed."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    document = httpx.get(f"{gateway.url}/models/{RENTALS}/openapi.json", headers=headers)
    (project / "openapi.json").write_bytes(document.content)
    run(project, "npx", "--no", "openapi-typescript", "openapi.json", "-o", "generated/schema.ts")
    run(project, "npx", "--no", "tsc")
    told = json.loads(run(project, "node", "build/call.js", gateway.url, TOKEN))
    assert told.pop("value") == pytest.approx(100, abs=10)
    assert told == {
        "version": 1,
        "predictions": 2,
        "actuals": 202,
        "refused": 422,
        "why": "rows[0].temp: expected a number, got text",
    }
