"""Voila, set up to be the Monitor's server."""

import hashlib
import hmac
import shutil
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from jupyterhub.log import log_request
from traitlets.config import Config
from voila.app import Voila

from tiltyard.client.connect import local_token
from tiltyard.monitor.desk import HEADER, open_desk
from tiltyard.monitor.identity import PREFIX, HubIdentity, hub_auth
from tiltyard.monitor.kernels import OwnKernels, VisitorKernels
from tiltyard.monitor.notebook import find_notebook
from tiltyard.monitor.routes import routes
from tiltyard.settings import LOOPBACK, Settings

TEMPLATES = Path(__file__).with_name("templates")

_EXTENSIONS = [
    "@voila-dashboards/widgets-manager8",
    "@jupyter-widgets/jupyterlab-manager",
    "anywidget",
]
_PING_MS = 30_000
_FAILED = "Reload the page; if that does not help, tell an operator to read the Monitor's log."
_POLICY = (
    "default-src 'self'; "
    # Voila's page carries scripts in itself, and anywidget imports from a blob.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'self' 'unsafe-inline' blob: data:; "
    "img-src 'self' blob: data:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""A browser asks no other host for anything, whatever a page wants."""


class MonitorServer(Voila):
    """Voila with one notebook, the hub's logins and tickets for control.

    Args:
        settings: of this installation.
        traits: of Voila.

    Raises:
        UnauthenticatedError: `tiltyard up` has not made the local tokens yet.
        NotFoundError: there is no notebook where the settings name one.
    """

    def __init__(self, settings: Settings, **traits: Any) -> None:
        self.desk = open_desk(settings)
        self.control_url = settings.control_url
        self._hub_auth = hub_auth(settings)
        notebook = find_notebook(settings)
        self.notebook_name = notebook.name
        super().__init__(
            notebook_path=str(notebook),
            root_dir=str(notebook.parent),
            ip=LOOPBACK,
            port=settings.monitor.port,
            # Another port than the hub knows would help nobody.
            port_retries=0,
            base_url=PREFIX,
            open_browser=False,
            # None of this machine's or user's configuration of other Voilas.
            config_file_paths=[],
            log_format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            cookie_secret=_cookie_secret(settings),
            authorizer_class=OwnKernels,
            identity_provider_class=HubIdentity,
            config=_config(settings),
            **traits,
        )

    def setup_template_dirs(self) -> None:
        """Look for templates in the package first."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(TEMPLATES))

    def init_settings(self) -> dict[str, Any]:
        """Return the web application's settings."""
        made = super().init_settings()
        self.identity_provider.hub_auth = self._hub_auth
        return {
            **made,
            "compress_response": True,
            "desk": self.desk,
            "headers": {"Content-Security-Policy": _POLICY},
            # Jupyter's own error pages say what this installation runs on.
            "jinja2_env": made["voila_jinja2_env"],
            "log_function": log_request,
            # Jupyter's default is longer than tornado allows, which says so at every visit.
            "ws_ping_timeout": _PING_MS,
        }

    def init_handlers(self) -> list[Any]:
        """Return the routes."""
        return routes(self)

    def stop(self) -> None:
        """End all kernels at once, then remove their sockets, by which they are ended."""
        run_sync(self.kernel_manager.shutdown_all)(now=True)
        shutil.rmtree(self.connection_dir, ignore_errors=True)


def make_server(settings: Settings) -> MonitorServer:
    """Return the server, ready to be started.

    Raises:
        UnauthenticatedError: `tiltyard up` has not made the local tokens yet.
        NotFoundError: there is no notebook where the settings name one.
    """
    server = MonitorServer(settings)
    server.initialize([])
    return server


def _config(settings: Settings) -> Config:
    idle_s = settings.monitor.idle_timeout_s
    return Config(
        {
            "VoilaConfiguration": {
                "extension_allowlist": _EXTENSIONS,
                "extension_denylist": [],
                "file_allowlist": [],
                "http_header_envs": [HEADER],
                "multi_kernel_manager_class": VisitorKernels,
                "show_tracebacks": False,
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
            },
            "VoilaExecutor": {"cell_error_instruction": _FAILED},
            "KernelManager": {"transport": "ipc"},
            "MappingKernelManager": {
                "cull_idle_timeout": idle_s,
                "cull_interval": max(1, idle_s // 4),
                # An open page ticks; one that does not has no browser that listens.
                "cull_connected": True,
                # What has said nothing for so long while it works, hangs.
                "cull_busy": True,
            },
        }
    )


def _cookie_secret(settings: Settings) -> bytes:
    """Return the key of the cookies: the same after a restart, so that nobody logs in anew."""
    token = local_token(settings, "hub-monitor")
    return hmac.digest(token.encode(), b"cookies of the Monitor", hashlib.sha256)
