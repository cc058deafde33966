"""The hub's configuration, as `tiltyard.hub.configure` makes it of settings."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from support.hub import free_port
from tiltyard.cli.home import make_home, make_hub_tokens
from tiltyard.errors import InvalidInputError, UnauthenticatedError
from tiltyard.hub import configure
from tiltyard.settings import Settings, load_settings

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


@contextmanager
def serving(path: str, text: str) -> Iterator[str]:
    """Serve one document; give the server's URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == path else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def made(folder: Path, **sections: Any) -> Settings:
    """Return settings of a home that `tiltyard up` has prepared."""
    settings = load_settings(home=folder / "home", **sections)
    make_home(settings)
    make_hub_tokens(settings)
    return settings


def configured(folder: Path, **sections: Any) -> Any:
    """Return what the settings make of an empty configuration."""
    config = Config()
    configure(config, made(folder, **sections))
    return config


def test_a_site_goes_on_from_tiltyards_configuration(tmp_path: Path) -> None:
    """`hub/jupyterhub_config.py` is a call of it and room for more; the package's copy too."""
    root = Path(__file__).parents[2]
    site = (root / "hub" / "jupyterhub_config.py").read_text().splitlines()[1:]
    built_in = (root / "src/tiltyard/hub/jupyterhub_config.py").read_text().splitlines()[1:]
    assert site == built_in
    assert "configure(c)" in site
    assert len(site) < 12


def test_the_public_url_is_the_sites(tmp_path: Path) -> None:
    """Also in the address to which a provider sends people back."""
    config = configured(
        tmp_path,
        hub={"url": "https://ml.example.com", "authenticator": "oidc"},
        oidc={
            "client_id": "tiltyard",
            "client_secret": "x",
            "authorize_url": "https://a/",
            "token_url": "https://t/",
            "userdata_url": "https://u/",
        },
    )
    assert config.JupyterHub.public_url == "https://ml.example.com/"
    callback = config.OAuthenticator.oauth_callback_url
    assert callback == "https://ml.example.com/hub/oauth_callback"
    assert config.OAuthenticator.token_url == "https://t/"


def test_idle_servers_are_stopped_where_that_is_set(tmp_path: Path) -> None:
    """A managed service does it, which may see and stop servers and no more."""
    config = configured(tmp_path, hub={"idle_timeout_s": 7200})
    [culler] = [s for s in config.JupyterHub.services if s["name"] == "idle-culler"]
    assert "--timeout=7200" in culler["command"]
    [role] = [r for r in config.JupyterHub.load_roles if r.get("services") == ["idle-culler"]]
    assert "delete:servers" in role["scopes"]
    assert not [scope for scope in role["scopes"] if scope.startswith("admin")]


@pytest.mark.filterwarnings("ignore:(tagMap|typeMap) is deprecated")  # ldap3's import
@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"hub": {"authenticator": "oidc"}}, "also needs oidc.client_id"),
        (
            {"hub": {"authenticator": "oidc"}, "oidc": {"client_id": "t", "client_secret": "x"}},
            "also needs oidc.issuer",
        ),
        (
            {
                "hub": {"authenticator": "oidc"},
                "oidc": {"client_id": "t", "client_secret_file": "/no/such/file"},
            },
            "/no/such/file cannot be read",
        ),
        ({"hub": {"authenticator": "ldap"}}, "also needs ldap.host, ldap.group_base"),
        (
            {"hub": {"authenticator": "ldap"}, "ldap": {"host": "h", "group_base": "dc=x"}},
            "also needs ldap.user_base",
        ),
        (
            {
                "hub": {"authenticator": "ldap"},
                "ldap": {"host": "h", "group_base": "dc=x", "search_dn": "cn=reader"},
            },
            "also needs ldap.search_password_file",
        ),
    ],
)
def test_what_a_sites_login_lacks_is_named(
    tmp_path: Path, sections: dict[str, Any], told: str
) -> None:
    """In a sentence, before the hub starts."""
    with pytest.raises(InvalidInputError, match=told):
        configured(tmp_path, **sections)


def test_a_provider_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the document that could not be read."""
    issuer = f"http://127.0.0.1:{free_port()}"
    oidc = {"issuer": issuer, "client_id": "t", "client_secret": "x"}
    with pytest.raises(InvalidInputError, match="openid-configuration cannot be read"):
        configured(tmp_path, hub={"authenticator": "oidc"}, oidc=oidc)


def test_a_provider_that_is_away_hinders_no_start(tmp_path: Path) -> None:
    """Its last document is used until it answers again; another provider's is not."""
    document = {name: f"https://login/{name}" for name in ENDPOINTS}
    with serving("/.well-known/openid-configuration", json.dumps(document)) as issuer:
        oidc = {"issuer": issuer, "client_id": "t", "client_secret": "x"}
        first = configured(tmp_path, hub={"authenticator": "oidc"}, oidc=oidc)
    again = configured(tmp_path, hub={"authenticator": "oidc"}, oidc=oidc)
    assert again.OAuthenticator == first.OAuthenticator
    assert again.OAuthenticator.token_url == "https://login/token_endpoint"
    other = {**oidc, "issuer": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(InvalidInputError, match="cannot be read"):
        configured(tmp_path, hub={"authenticator": "oidc"}, oidc=other)


def test_without_tokens_the_hub_says_what_makes_them(tmp_path: Path) -> None:
    """`tiltyard up` does."""
    with pytest.raises(UnauthenticatedError, match="tiltyard up"):
        configure(Config(), load_settings(home=tmp_path))
