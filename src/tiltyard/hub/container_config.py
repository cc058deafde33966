"""The hub's configuration of servers that are containers."""

from typing import Any

from tiltyard.containers.engine import TIMEOUT_S
from tiltyard.containers.labels import Role, labels, named
from tiltyard.containers.servers import HOME, LAKE, PIPELINES, host_config, lake_file
from tiltyard.hub.containers import ContainerSpawner
from tiltyard.hub.options import options_from_form, options_page
from tiltyard.settings import Settings, load_settings

LAB = "/opt/venv/lib/python3.13/site-packages/tiltyard/hub/lab"
"""Jupyter configuration of every user's server, inside the image."""

POLL_S = 10
PAGE_S = 60


def configure_containers(c: Any, settings: Settings) -> None:
    """Fill the configuration of servers that are containers."""
    c.JupyterHub.spawner_class = ContainerSpawner
    c.Spawner.cmd = ["start-lab"]
    c.Spawner.notebook_dir = HOME
    c.Spawner.http_timeout = PAGE_S
    c.Spawner.poll_interval = POLL_S
    c.Spawner.environment = _environment(settings)
    c.Spawner.options_form = options_page
    c.Spawner.options_from_form = options_from_form
    c.DockerSpawner.network_name = named(settings)
    c.DockerSpawner.use_internal_ip = True
    c.DockerSpawner.pull_policy = "never"
    c.DockerSpawner.remove = True
    c.DockerSpawner.format_volume_name = _as_it_is
    c.DockerSpawner.extra_create_kwargs = _labelled
    own = host_config(settings)
    c.DockerSpawner.mem_limit = own.pop("mem_limit")
    c.DockerSpawner.cpu_limit = settings.servers.cpus
    # Removed by us: a server that ends while it starts is asked for its last words first.
    c.DockerSpawner.extra_host_config = {**own, "auto_remove": False}
    c.DockerSpawner.client_kwargs = {"timeout": TIMEOUT_S}
    if settings.docker.url:
        c.DockerSpawner.client_kwargs["base_url"] = settings.docker.url


def _as_it_is(name: str, spawner: Any) -> str:
    return name


def _labelled(spawner: Any) -> dict[str, Any]:
    whose = {"user": spawner.user.name, "server": spawner.name}
    return {"labels": labels(load_settings(), Role.SERVER, **whose)}


def _environment(settings: Settings) -> dict[str, Any]:
    own = {
        "JUPYTER_CONFIG_PATH": LAB,
        "TILTYARD_CLIENT__URL": settings.container_control_url,
        "TILTYARD_CLIENT__GATEWAY_URL": settings.container_gateway_url,
        "TILTYARD_CLIENT__TOKEN": lambda spawner: spawner.api_token,
        "TILTYARD_PIPELINES__PATH": PIPELINES,
        "TILTYARD_IMAGE": lambda spawner: spawner.image,
    }
    if lake_file(settings) is not None:
        own["TILTYARD_LAKE__URL"] = f"sqlite:///{LAKE}"
    return own
