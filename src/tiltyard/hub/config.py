"""The configuration of JupyterHub, made from Tiltyard's settings."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from tiltyard.client.local import local_token
from tiltyard.hub.landing import landing_page
from tiltyard.hub.login import configure_login
from tiltyard.hub.quiet import quiet_logs
from tiltyard.hub.roles import custom_scopes, roles
from tiltyard.hub.services import services
from tiltyard.hub.spawner import configure_spawner
from tiltyard.hub.tokens import SCOPES
from tiltyard.settings import Settings, load_settings

PAGES = Path(__file__).with_name("pages")
PROXY_CHECK_S = 5
"""A proxy that was restarted has its routes again after this."""


def configure(c: Any, settings: Settings | None = None) -> None:
    """Fill a JupyterHub configuration.

    Args:
        c: traitlets' configuration object, as ``get_config()`` gives it.
        settings: of this installation; by default those that every process reads.

    Raises:
        InvalidInputError: a login by the site lacks a setting.
        UnauthenticatedError: `tiltyard up` has not made the tokens yet.
    """
    settings = settings or load_settings()
    quiet_logs()
    _addresses(c, settings)
    _state(c, settings)
    c.JupyterHub.custom_scopes = custom_scopes()
    c.JupyterHub.load_roles = roles(settings)
    c.JupyterHub.services = services(settings)
    c.JupyterHub.default_url = landing_page
    c.JupyterHub.template_paths = [str(PAGES)]
    configure_login(c, settings)
    _servers(c, settings)


def _addresses(c: Any, settings: Settings) -> None:
    hub = settings.hub
    c.JupyterHub.bind_url = f"http://{hub.host}:{hub.port}/"
    c.JupyterHub.hub_bind_url = settings.hub_api_url.removesuffix("/hub/api")
    if hub.url:
        c.JupyterHub.public_url = settings.hub_url
    # The proxy is a child of `tiltyard up`: a hub that restarts cuts nobody off.
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = settings.proxy_api_url
    c.ConfigurableHTTPProxy.auth_token = local_token(settings, "proxy")
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.last_activity_interval = PROXY_CHECK_S  # which looks at the routes, too


def _servers(c: Any, settings: Settings) -> None:
    c.Spawner.default_url = "/lab"
    c.Spawner.server_token_scopes = list(SCOPES)
    if settings.runtime == "docker":
        from tiltyard.hub.container_config import configure_containers  # noqa: PLC0415  an extra

        configure_containers(c, settings)
    else:
        configure_spawner(c, settings)


def _state(c: Any, settings: Settings) -> None:
    folder = settings.path("hub")
    c.JupyterHub.db_url = f"sqlite:///{folder / 'jupyterhub.sqlite'}"
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
    c.CryptKeeper.keys = [hashlib.sha256(local_token(settings, "hub-crypt").encode()).digest()]
    c.CryptKeeper.n_threads = 1
    c.JupyterHub.data_files_path = str(Path(sys.prefix) / "share" / "jupyterhub")
