"""Settings of every process: flag > ``TILTYARD_SECTION__KEY`` > ``tiltyard.toml`` > default."""

import ipaddress
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tiltyard.errors import InvalidInputError
from tiltyard.settings.base import LOOPBACK, Section
from tiltyard.settings.containers import (
    DockerSettings,
    ImageSettings,
    Limits,
    ServerSettings,
    SizeSettings,
)
from tiltyard.settings.people import (
    HubSettings,
    LdapSettings,
    MonitorSettings,
    OidcSettings,
    PamSettings,
)
from tiltyard.settings.platform import (
    ClientSettings,
    ControlSettings,
    DatabaseSettings,
    GatewaySettings,
    PipelineSettings,
    RunnerSettings,
    WorkerSettings,
)

__all__ = [
    "LOOPBACK",
    "GatewaySettings",
    "HubSettings",
    "LdapSettings",
    "Limits",
    "OidcSettings",
    "Section",
    "Settings",
    "config_file",
    "load_settings",
]


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
    runtime: Literal["process", "docker"] = "process"
    """What people's servers, runs and deployments run in: processes of one user, to try out, or
    containers of the Docker Engine."""
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
    docker: DockerSettings = DockerSettings()
    images: ImageSettings = ImageSettings()
    servers: ServerSettings = ServerSettings()
    sizes: SizeSettings = SizeSettings()

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
        return f"http://{self.hub_api_host}:{self.hub.api_port}/hub/api"

    @property
    def hub_api_host(self) -> str:
        """Address that the hub binds: where people's servers reach it."""
        return self.bridge if self.runtime == "docker" else LOOPBACK

    @property
    def proxy_api_url(self) -> str:
        """URL of the API of the hub's proxy."""
        return f"http://{LOOPBACK}:{self.hub.proxy_api_port}"

    @property
    def monitor_url(self) -> str:
        """URL of the Monitor, reached without the proxy."""
        return f"http://{LOOPBACK}:{self.monitor.port}"

    @property
    def images_lock(self) -> Path:
        """File that records the images of this site."""
        return Path(self.images.lock) if self.images.lock else self.path("images.lock")

    @property
    def bridge(self) -> str:
        """Address of this host on the network of users' and runs' containers."""
        return str(ipaddress.ip_network(self.docker.subnet)[1])

    @property
    def container_control_url(self) -> str:
        """URL under which control is reached from users' and runs' containers."""
        return f"http://{self.bridge}:{self.control.port}"

    @property
    def container_gateway_url(self) -> str:
        """URL under which the gateway is reached from users' and runs' containers."""
        return f"http://{self.bridge}:{self.gateway.port}"

    @property
    def scorer_uid(self) -> int:
        """User id whose sockets are trusted to be scorers'."""
        as_root = os.geteuid() == 0
        return self.docker.scorer_user if as_root and self.runtime == "docker" else os.geteuid()

    def listen_hosts(self, host: str) -> tuple[str, ...]:
        """Return what a server listens on that containers call, too."""
        if self.runtime != "docker" or host in {"0.0.0.0", "::", self.bridge}:  # noqa: S104  not bound here
            return (host,)
        return (host, self.bridge)

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
