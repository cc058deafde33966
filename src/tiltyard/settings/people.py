"""Settings of the hub, the Monitor and logins."""

from pathlib import Path
from typing import Literal

from tiltyard.settings.base import Section


class HubSettings(Section):
    """JupyterHub and its proxy: people, groups and their servers."""

    enabled: bool = True
    """Whether `tiltyard up` starts JupyterHub, its proxy and the Monitor."""
    host: str = "127.0.0.1"
    """Address that the proxy binds; hub, Monitor and the proxy's API stay on 127.0.0.1."""
    port: int = 8702
    """Port of the pages that people open (the proxy's)."""
    api_port: int = 8703
    """Port of the hub itself, behind the proxy."""
    proxy_api_port: int = 8704
    """Port of the proxy's own API."""
    url: str = ""
    """URL under which browsers reach the proxy, such as `https://ml.example.com/`; empty means
    host and port."""
    config: Path = Path("hub/jupyterhub_config.py")
    """JupyterHub's configuration, a file that calls `tiltyard.hub.configure`; where there is
    none, that alone is the configuration."""
    authenticator: Literal["firstuse", "oidc", "ldap", "pam"] = "firstuse"
    """Who checks logins: Tiltyard's own passwords (`firstuse`), or the site."""
    viewers: str = "viewers"
    """Group whose members look at the Monitor."""
    scientists: str = "scientists"
    """Group whose members also get a JupyterLab, train and deploy."""
    promoters: str = "promoters"
    """Group whose members also promote and roll back."""
    operators: str = "operators"
    """Group whose members also run the installation."""
    first_user: str = "admin"
    """Name of the operator whom the very first start makes (`firstuse`)."""
    min_password_length: int = 10
    """Shorter passwords are refused (`firstuse`)."""
    proxy_command: str = ""
    """Path of configurable-http-proxy 5; empty means the one beside Python, else on the PATH."""
    refresh_s: int = 10
    """How long the groups that a site's login gave are believed before it is asked again."""
    idle_timeout_s: int = 0
    """A user's server that is idle for this long is stopped; 0 means never."""


class MonitorSettings(Section):
    """The Monitor, a page behind the hub's proxy."""

    port: int = 8705
    """Port it binds, on 127.0.0.1."""
    notebook: Path = Path("dashboards/monitor.ipynb")
    """Notebook that makes the page; where the default is not there, Tiltyard's own is shown."""
    ticket_hours: float = 12.0
    """How long an open page acts for its visitor; then it has to be reloaded."""
    idle_timeout_s: int = 120
    """A page whose browser is silent for this long loses its kernel."""


class OidcSettings(Section):
    """Login by the company's OpenID Connect provider (`hub.authenticator = "oidc"`)."""

    issuer: str = ""
    """The provider's URL; what is not set below is read from its discovery document."""
    authorize_url: str = ""
    """Where browsers are sent to log in."""
    token_url: str = ""
    """Where a code becomes a token."""
    userdata_url: str = ""
    """Where a token becomes name and groups."""
    client_id: str = ""
    """Tiltyard's name at the provider."""
    client_secret: str = ""
    """Its secret; better a file."""
    client_secret_file: str = ""
    """File that holds the secret."""
    scope: str = "openid profile"
    """What is asked for, separated by spaces."""
    username_claim: str = "preferred_username"
    """Claim that holds the user's name."""
    groups_claim: str = "groups"
    """Claim that holds a list of groups."""
    label: str = "your company's login"
    """What the login button says after "Sign in with"."""


class LdapSettings(Section):
    """Login by a directory (`hub.authenticator = "ldap"`)."""

    host: str = ""
    """The directory's server."""
    port: int = 0
    """Its port; 0 means 389, with `on_connect` 636."""
    tls: Literal["before_bind", "on_connect", "insecure"] = "before_bind"
    """StartTLS, TLS from the first byte, or none."""
    ca_file: str = ""
    """Certificates that the server's is checked against; empty means the system's."""
    user_dn: str = ""
    """A user's DN, such as `uid={username},ou=people,dc=example,dc=com`; empty means that it is
    searched."""
    search_dn: str = ""
    """DN of a reading account: for finding users, and for reading groups again."""
    search_password_file: str = ""
    """File that holds its password; empty and no `search_dn` means an anonymous search."""
    user_base: str = ""
    """Where users are searched."""
    user_attribute: str = "uid"
    """Attribute that holds the login name."""
    group_base: str = ""
    """Where groups are searched."""
    group_filter: str = "(member={userdn})"
    """Finds the groups of a user; of posixGroups it is `(memberUid={username})`."""
    group_attribute: str = "cn"
    """Attribute that holds a group's name."""


class PamSettings(Section):
    """Login by the machine's accounts (`hub.authenticator = "pam"`); groups are its groups."""

    service: str = "login"
    """PAM service, a file in /etc/pam.d."""
