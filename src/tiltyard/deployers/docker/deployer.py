"""Runs each replica of a deployment as a container that the engine restarts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tiltyard.containers.ending import remove
from tiltyard.containers.engine import connect, translated
from tiltyard.containers.hardening import hardened
from tiltyard.containers.images import RecordedImage, check_present, read_lock
from tiltyard.containers.labels import Role, filters, labels, named
from tiltyard.deployers.base import Deployer, ReplicaStatus
from tiltyard.deployers.docker.sockets import make_folder, remove_folder
from tiltyard.deployers.docker.views import DEPLOYMENT, REPLICA, View, may_have_changed, view_of
from tiltyard.deployers.process import socket_path
from tiltyard.scoring.folder import read_manifest
from tiltyard.settings import Limits, Settings
from tiltyard.types.registry import Deployment, VersionManifest

if TYPE_CHECKING:
    from docker import DockerClient

VERSION = "/version"
SOCKETS = "/socket"
GRACE_S = 3
TAIL_LINES = 100


class DockerDeployer(Deployer):
    """Runs scorers at the Docker Engine of the settings.

    All it needs to know is in the containers' labels: another one with the same home goes on
    where this one ended.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: DockerClient | None = None
        self._views: dict[str, dict[int, View]] = {}
        self._deployments: dict[str, Deployment] = {}

    def look(self) -> None:
        """Learn which containers there are, and how they are."""
        api = self._engine().api
        found: dict[str, dict[int, View]] = {}
        with translated(self._settings):
            for line in api.containers(all=True, filters=filters(self._settings, Role.SCORER)):
                deployment = line["Labels"][f"tiltyard.{DEPLOYMENT}"]
                replica = int(line["Labels"][f"tiltyard.{REPLICA}"])
                before = self._views.get(deployment, {}).get(replica)
                if before is not None and before.id != line["Id"]:
                    before = None
                view = before
                if view is None or may_have_changed(line, before):
                    view = self._view(line["Id"], before)
                if view is not None:
                    found.setdefault(deployment, {})[replica] = view
        self._views = found

    def ensure(self, deployment: Deployment, folder: Path) -> None:
        """Start what the engine neither runs nor restarts."""
        self._deployments[deployment.id] = deployment
        views = self._views.get(deployment.id, {})
        for number in range(len(deployment.endpoints)):
            view = views.get(number)
            if view is None:
                self._create(deployment, number, folder)
            elif not view.tended:
                make_folder(self._sockets_of(deployment, number), self._settings.scorer_uid)
                with translated(self._settings):
                    self._engine().api.start(view.id)

    def stop(self, deployment_id: str) -> None:
        """End the scorers after the batch at hand, remove their containers and sockets."""
        self._remove([view.id for view in self._views.get(deployment_id, {}).values()])
        self._views.pop(deployment_id, None)
        self._deployments.pop(deployment_id, None)
        # Those of a deployment that an earlier control started, too.
        for folder in (self._settings.sockets / deployment_id).glob("*"):
            remove_folder(folder)

    def close(self) -> None:
        """Let go of the engine; containers run on."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def running(self) -> frozenset[str]:
        """Return the ids of the deployments that have containers here, or are to have some."""
        return frozenset(self._views.keys() | self._deployments.keys())

    def status(self, deployment_id: str) -> list[ReplicaStatus]:
        """Return the state of each replica, in the order of the endpoints."""
        deployment = self._deployments.get(deployment_id)
        if deployment is None:
            return []
        views = self._views.get(deployment_id, {})
        return [_status(e, views.get(n)) for n, e in enumerate(deployment.endpoints)]

    def tail(self, deployment_id: str, replica: int) -> str:
        """Return the last lines that a replica wrote since its last start."""
        view = self._views.get(deployment_id, {}).get(replica)
        if view is None:
            return ""
        if view.out_of_memory:
            return (
                f"error: it needs more than the {view.memory_mb} MB of its size: deploy it with a "
                "larger --size."
            )
        with translated(self._settings):
            written: bytes = self._engine().api.logs(view.id, tail=TAIL_LINES, since=view.started_s)
        return written.decode(errors="replace").strip()

    def _create(self, deployment: Deployment, number: int, folder: Path) -> None:
        from docker.types import Mount  # noqa: PLC0415  an extra

        client = self._engine()
        image = self.image_for(read_manifest(folder))
        sockets = self._sockets_of(deployment, number)
        uid = self._settings.scorer_uid
        make_folder(sockets, uid)
        with translated(self._settings):
            check_present(client, image)
            made = client.containers.create(
                image.id,
                (
                    *("--folder", VERSION, "--socket", f"{SOCKETS}/s.sock"),
                    *("--engine", deployment.engine, "--version", str(deployment.version)),
                ),
                name=named(self._settings, "scorer", deployment.id, str(number)),
                labels=labels(
                    self._settings,
                    Role.SCORER,
                    **{DEPLOYMENT: deployment.id, REPLICA: str(number)},
                    model=deployment.model,
                    version=str(deployment.version),
                ),
                network_mode="none",
                restart_policy={"Name": "unless-stopped"},
                environment={"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: S108  its own
                mounts=[
                    Mount(VERSION, str(folder), type="bind", read_only=True),
                    Mount(SOCKETS, str(sockets), type="bind"),
                ],
                **hardened(self._limits(deployment.size), user=f"{uid}:{uid}"),
            )
            made.start()

    def _view(self, container: str, before: View | None) -> View | None:
        from docker.errors import NotFound  # noqa: PLC0415  an extra

        try:
            return view_of(self._engine().api.inspect_container(container), before)
        except NotFound:  # removed since it was listed
            return None

    def _remove(self, containers: list[str]) -> None:
        if containers:
            with ThreadPoolExecutor(len(containers)) as pool:
                client = self._engine()
                list(pool.map(lambda c: remove(client, self._settings, c, GRACE_S), containers))

    def image_for(self, manifest: VersionManifest) -> RecordedImage:
        """Return the scorer image of the set in which a version was trained.

        Raises:
            NotFoundError: none is recorded.
        """
        lock = read_lock(self._settings.images_lock)
        return lock.scorer_for(manifest.provenance.image, manifest.language)

    def _sockets_of(self, deployment: Deployment, number: int) -> Path:
        return socket_path(deployment.endpoints[number]).parent

    def _limits(self, size: str) -> Limits:
        limits: Limits = getattr(self._settings.sizes, size)
        return limits

    def _engine(self) -> "DockerClient":
        if self._client is None:
            self._client = connect(self._settings)
        return self._client


def _status(endpoint: str, view: View | None) -> ReplicaStatus:
    if view is None:
        return ReplicaStatus(endpoint, run=0, running=False, exit_code=None, early_ends=0)
    ended = None if view.running else view.exit_code
    return ReplicaStatus(endpoint, view.run, view.running, ended, view.early_ends)
