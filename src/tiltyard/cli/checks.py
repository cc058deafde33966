"""The doctor's checks of machine, home folder and databases."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from tiltyard.cli.checks_r import check_r
from tiltyard.cli.checks_running import RUNNING_CHECKS
from tiltyard.cli.findings import Check, Finding
from tiltyard.cli.home import FORMAT, holder
from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.settings import Settings

PYTHON = (3, 11)
PROXY_MEND = "npm install -g configurable-http-proxy@5 (Node 20 or newer), or hub.enabled = false"
LEAST_FREE_BYTES = 1_000_000_000
RUNTIME_DIR_BYTES = 60
EXTRAS = {
    "docker": ("docker",),
    "control": ("fastapi", "sqlalchemy", "alembic", "multipart", "uvicorn"),
    "gateway": ("starlette", "uvicorn", "uvloop", "httptools", "prometheus_client"),
    "worker": ("sqlalchemy", "sklearn", "scipy"),
    "train": ("papermill", "ipykernel", "nbformat", "skl2onnx", "onnx"),
    "score": ("sklearn", "joblib", "onnxruntime"),
    "hub": ("jupyterhub", "jupyterlab", "firstuseauthenticator", "oauthenticator"),
    "monitor": ("voila", "anywidget", "ipywidgets", "ipykernel"),
}
"""Extra → modules that its processes import."""


def check_python(_: Settings) -> Iterator[Finding]:
    """Look at the interpreter."""
    have = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= PYTHON
    mend = "" if ok else "install Python 3.11 or newer, then run scripts/demo again"
    yield Finding("Python", ok, f"{have} at {sys.executable}", mend)


def check_packages(_: Settings) -> Iterator[Finding]:
    """Look for the libraries of every process."""
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            what = f"{', '.join(missing)} not installed"
            yield Finding(f"extra {extra}", False, what, f"pip install 'tiltyard[{extra}]'")
    if all(find_spec(module) for modules in EXTRAS.values() for module in modules):
        yield Finding("packages", True, "all extras are installed")


def check_home(settings: Settings) -> Iterator[Finding]:
    """Look at the home folder, its format and its disk."""
    home = settings.path()
    if not home.is_dir():
        yield Finding("home", False, f"{home} is not there", "tiltyard init")
        return
    writable = os.access(home, os.W_OK | os.X_OK)
    mend = "" if writable else f"chown -R {os.getuid()} {home}, or set TILTYARD_HOME"
    yield Finding("home", writable, f"{home}{'' if writable else ' cannot be written'}", mend)
    yield _format(settings)
    free = shutil.disk_usage(home).free
    enough = free >= LEAST_FREE_BYTES
    mend = "" if enough else f"free some space on the disk of {home}"
    yield Finding("disk", enough, f"{free / 1e9:.1f} GB free", mend)


def check_runtime_dir(settings: Settings) -> Iterator[Finding]:
    """Look at the length of the sockets' paths, which the kernel limits."""
    length = len(os.fsencode(settings.sockets))
    ok = length <= RUNTIME_DIR_BYTES
    mend = "" if ok else "set TILTYARD_RUNTIME_DIR to a folder of at most 60 bytes"
    yield Finding("sockets", ok, f"{settings.sockets} ({length} of 60 bytes)", mend)


def check_registry(settings: Settings) -> Iterator[Finding]:
    """Look at the registry's schema and at the ledgers in it."""
    from tiltyard.cli.ledger import find_faults

    try:
        faults, models = find_faults(settings)
    except TiltyardError as error:
        yield Finding("registry", False, error.message, "tiltyard init")
        return
    yield Finding("registry", True, f"{len(models)} models")
    if faults:
        yield Finding("ledger", False, " ".join(faults), "restore the registry from a backup")
    elif models:
        yield Finding("ledger", True, "whole")


def check_lake(settings: Settings) -> Iterator[Finding]:
    """Look whether the data lake answers."""
    from tiltyard.lake import read_lake

    try:
        read_lake("SELECT 1 AS one", url=settings.lake_url)
    except TiltyardError as error:
        yield Finding("lake", False, error.message, "tiltyard lake load")
    else:
        yield Finding("lake", True, "it answers")


def check_pipelines(settings: Settings) -> Iterator[Finding]:
    """Look for pipelines."""
    root = settings.pipelines.path.absolute()
    names = sorted({path.parent.name for path in root.glob("*/*.ipynb")})
    if names:
        yield Finding("pipelines", True, f"{', '.join(names)} in {root}")
    else:
        mend = "set TILTYARD_PIPELINES__PATH to the folder of your pipelines"
        yield Finding("pipelines", False, f"no notebooks in {root}", mend)


def check_docker(settings: Settings) -> Iterator[Finding]:
    """Look at the engine, the recorded images, and what users' containers reach."""
    from contextlib import closing

    from tiltyard.containers.engine import connect
    from tiltyard.containers.firewall import not_held
    from tiltyard.containers.images import check_present, read_lock

    if settings.runtime != "docker":
        return
    try:
        with closing(connect(settings)) as client:
            yield Finding("Docker Engine", True, client.version()["Version"])
            lock = read_lock(settings.images_lock)
            for name in ("lab-python", "scorer-python"):
                check_present(client, lock.current(name))
    except UnavailableError as error:
        yield Finding("Docker Engine", False, error.message, "systemctl start docker")
        return
    except TiltyardError as error:
        yield Finding("images", False, error.message, "tiltyard images build")
        return
    yield Finding("images", True, f"those of {settings.images_lock} are there")
    if holder(settings.path()) and (lacks := not_held(settings)) is not None:
        yield Finding("users' network", False, lacks, "tiltyard network up, as root")


def check_proxy(settings: Settings) -> Iterator[Finding]:
    """Look for the hub's proxy and the Node that it runs on."""
    if not settings.hub.enabled or find_spec("jupyterhub") is None:
        return
    told = subprocess.run(
        (sys.executable, "-m", "tiltyard.hub.proxy", "--check"),
        capture_output=True,
        text=True,
        check=False,
    )
    ok = told.returncode == 0
    mend = "" if ok else PROXY_MEND
    yield Finding("hub's proxy", ok, (told.stdout if ok else told.stderr).strip(), mend)


def _format(settings: Settings) -> Finding:
    path = settings.path("format")
    found = path.read_text().strip() if path.exists() else ""
    if not found:
        return Finding("format", False, f"{path} is not there", "tiltyard init")
    if found != FORMAT:
        what = f"the folder has format {found}, this Tiltyard reads {FORMAT}"
        return Finding("format", False, what, "use the Tiltyard that wrote it")
    return Finding("format", True, found)


CHECKS: tuple[Check, ...] = (
    *(check_python, check_packages, check_home, check_runtime_dir),
    *(
        check_registry,
        check_lake,
        check_pipelines,
        check_docker,
        check_r,
        check_proxy,
        *RUNNING_CHECKS,
    ),
)
