"""The hub's proxy, npm's configurable-http-proxy: ``python -m tiltyard.hub.proxy``.

With ``--check`` it only says which proxy and Node it would run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tiltyard.client.local import local_token
from tiltyard.errors import TiltyardError
from tiltyard.settings import LOOPBACK, HubSettings, Settings, load_settings

NAME = "configurable-http-proxy"
LEAST_NODE = 20
PAGES = Path(__file__).with_name("pages")
_CHECK_TIMEOUT_S = 20


def main() -> None:
    """Become the proxy, or check that it is there."""
    try:
        settings = load_settings()
        program = find_proxy(settings.hub)
        if "--check" in sys.argv[1:]:
            print(f"{program}, Node {node_version()}")
            return
        environment = {
            **os.environ,
            "PATH": _path(),
            "CONFIGPROXY_AUTH_TOKEN": local_token(settings, "proxy"),
        }
    except TiltyardError as error:
        raise SystemExit(error.message) from None
    os.execve(program, proxy_command(program, settings), environment)  # noqa: S606  the proxy


def proxy_command(program: str, settings: Settings) -> list[str]:
    """Return the proxy's command line; its token is in the environment only."""
    hub = settings.hub
    return [
        program,
        *("--ip", hub.host, "--port", str(hub.port)),
        *("--api-ip", LOOPBACK, "--api-port", str(hub.proxy_api_port)),
        *("--default-target", settings.hub_api_url.removesuffix("/hub/api")),
        # A page of its own also while the hub is away.
        *("--error-path", str(PAGES / "proxy")),
        *("--log-level", "warn"),
    ]


def find_proxy(hub: HubSettings) -> str:
    """Return the proxy's path: the setting's, else beside Python, else on the PATH.

    Raises:
        TiltyardError: it is in none of them.
    """
    wanted = hub.proxy_command or NAME
    found = shutil.which(wanted, path=_path())
    if found is None:
        raise TiltyardError(
            f"The hub's proxy {wanted} is not there: run `npm install -g {NAME}@5`, set "
            "hub.proxy_command, or do without people by hub.enabled = false."
        )
    return found


def node_version() -> str:
    """Return the version of Node that would run the proxy.

    Raises:
        TiltyardError: there is none, or it is too old.
    """
    node = shutil.which("node", path=_path())
    if node is None:
        raise TiltyardError(f"Node is not there: install Node {LEAST_NODE} or newer.")
    told = subprocess.run(  # noqa: S603  the Node that the proxy runs on
        (node, "--version"), capture_output=True, text=True, timeout=_CHECK_TIMEOUT_S, check=True
    ).stdout.strip()
    if int(told.lstrip("v").split(".")[0]) < LEAST_NODE:
        raise TiltyardError(f"Node {told} at {node} is too old: {LEAST_NODE} or newer is needed.")
    return told


def _path() -> str:
    beside = str(Path(sys.executable).parent)
    return os.pathsep.join((beside, os.environ.get("PATH", os.defpath)))


if __name__ == "__main__":
    main()
