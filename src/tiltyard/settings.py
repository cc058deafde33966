"""Settings of every process: flag > ``TILTYARD_SECTION__KEY`` > ``tiltyard.toml`` > default."""

import os
import tempfile
import zlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tiltyard.errors import InvalidInputError

LOOPBACK = "127.0.0.1"
"""What only this machine's processes call listens here."""


class Section(BaseModel):
    """A table of ``tiltyard.toml``; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ControlSettings(Section):
    """Where control listens."""

    host: str = "127.0.0.1"
    """Address it binds."""
    port: int = 8700
    """Port it binds."""
    confirm_timeout_s: float = 10.0
    """How long a promotion waits for gateways before it answers 202."""
    max_upload_mb: int = 2048
    """Largest version folder that is accepted."""


class GatewaySettings(Section):
    """Where the gateway listens, and its limits."""

    name: str = "gateway"
    """Names its spool's folder and its line in `tiltyard gateway list`."""
    host: str = "127.0.0.1"
    """Address it binds."""
    port: int = 8701
    """Port it binds."""
    max_body_bytes: int = 8_000_000
    """Larger requests get 413."""
    max_rows: int = 10_000
    """Requests of more rows get 413."""
    max_batch_rows: int = 256
    """Rows that go to a scorer at once."""
    max_pending_rows: int = 20_000
    """Rows waiting for scorers, over all models; beyond it calls get 503."""
    max_pending_requests: int = 128
    """Calls under way; beyond it calls get 503 before they are parsed."""
    answer_timeout_s: float = 30.0
    """A call that takes longer gets 504."""
    idle_timeout_s: float = 75.0
    """How long a kept-alive connection may be silent."""
    header_timeout_s: float = 10.0
    """How long a client may take to send a request's head and body."""
    segment_bytes: int = 16_000_000
    """Size at which the spool begins a new segment."""
    keep_confirmed_s: float = 900.0
    """How long a segment stays after all of it was confirmed in the store."""


class WorkerSettings(Section):
    """How the worker moves data."""

    batch_records: int = 2_000
    """Records that the relay writes at once."""
    poll_s: float = 0.2
    """How often an idle task looks for work."""
    lease_s: float = 10.0
    """How long a task stays with a worker that is silent."""


class RunnerSettings(Section):
    """How runs are executed."""

    concurrency: int = 1
    """Runs at once."""
    poll_s: float = 0.5
    """How often it asks for work."""
    heartbeat_s: float = 2.0
    """How often it reports a run."""
    lost_after_s: float = 30.0
    """A running run without a heartbeat for this long is failed or tried again."""


class DatabaseSettings(Section):
    """A database by URL; empty means the embedded SQLite file in the home folder."""

    url: str = ""
    """SQLAlchemy URL; empty means the SQLite file in the home folder."""


class PipelineSettings(Section):
    """Where the parameterized notebooks are."""

    path: Path = Path("pipelines")
    """Folder with one folder a pipeline."""


class ClientSettings(Section):
    """How a notebook, the CLI or another process reaches control and the gateway."""

    url: str = ""
    """Control's URL; empty means the embedded one."""
    token: str = ""
    """Empty means the file `tokens/cli` in the home folder."""
    gateway_url: str = ""
    """The gateway's URL; empty means the embedded one."""
    application_token: str = ""
    """Token for the gateway; empty means one that the library has issued to itself."""


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


class Settings(BaseSettings):
    """All settings; see each section."""

    model_config = SettingsConfigDict(
        env_prefix="TILTYARD_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Path(".tiltyard")
    """Folder of all state."""
    runtime: Literal["process"] = "process"
    """What deployments run on."""
    runtime_dir: str = ""
    """Folder of the scorers' sockets, at most 60 bytes; empty means one below the temporary
    folder, named after the home."""
    control: ControlSettings = ControlSettings()
    gateway: GatewaySettings = GatewaySettings()
    worker: WorkerSettings = WorkerSettings()
    runner: RunnerSettings = RunnerSettings()
    registry: DatabaseSettings = DatabaseSettings()
    lake: DatabaseSettings = DatabaseSettings()
    store: DatabaseSettings = DatabaseSettings()
    pipelines: PipelineSettings = PipelineSettings()
    client: ClientSettings = ClientSettings()
    hub: HubSettings = HubSettings()
    monitor: MonitorSettings = MonitorSettings()
    oidc: OidcSettings = OidcSettings()
    ldap: LdapSettings = LdapSettings()
    pam: PamSettings = PamSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, file."""
        toml = TomlConfigSettingsSource(settings_cls, config_file())
        return init_settings, env_settings, toml

    def path(self, *parts: str) -> Path:
        """Return an absolute path below the home folder."""
        return self.home.absolute().joinpath(*parts)

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry."""
        return self.registry.url or f"sqlite:///{self.path('registry.db')}"

    @property
    def lake_url(self) -> str:
        """SQLAlchemy URL of the data lake."""
        return self.lake.url or f"sqlite:///{self.path('lake.db')}"

    @property
    def store_url(self) -> str:
        """URL of the store."""
        return self.store.url or f"sqlite:///{self.path('store.db')}"

    @property
    def control_url(self) -> str:
        """URL under which control is reached."""
        return self.client.url or f"http://{self.control.host}:{self.control.port}"

    @property
    def gateway_url(self) -> str:
        """URL under which the gateway is reached."""
        return self.client.gateway_url or f"http://{self.gateway.host}:{self.gateway.port}"

    @property
    def hub_url(self) -> str:
        """URL under which people reach the hub, with a slash at its end."""
        return f"{(self.hub.url or f'http://{self.hub.host}:{self.hub.port}').rstrip('/')}/"

    @property
    def hub_api_url(self) -> str:
        """URL of the hub's API, reached without its proxy."""
        return f"http://{LOOPBACK}:{self.hub.api_port}/hub/api"

    @property
    def proxy_api_url(self) -> str:
        """URL of the API of the hub's proxy."""
        return f"http://{LOOPBACK}:{self.hub.proxy_api_port}"

    @property
    def monitor_url(self) -> str:
        """URL of the Monitor, reached without the proxy."""
        return f"http://{LOOPBACK}:{self.monitor.port}"

    @property
    def sockets(self) -> Path:
        """Folder of the scorers' sockets."""
        if self.runtime_dir:
            return Path(self.runtime_dir)
        mark = zlib.crc32(str(self.path()).encode())
        return Path(tempfile.gettempdir()) / f"tiltyard-{os.getuid()}-{mark:08x}"


def config_file() -> Path:
    """Return the settings file: ``TILTYARD_CONFIG``, else ``tiltyard.toml`` here."""
    return Path(os.environ.get("TILTYARD_CONFIG", "tiltyard.toml"))


def load_settings(**flags: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        InvalidInputError: naming each setting that cannot be used.
    """
    try:
        return Settings(**{k: v for k, v in flags.items() if v is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
        )
        raise InvalidInputError(f"Settings ({config_file()} or environment): {wrong}.") from None
