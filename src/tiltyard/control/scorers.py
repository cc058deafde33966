"""Scorers as control sees them: whether a version can be deployed, how its replicas are."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tiltyard.client.control import ControlClient
from tiltyard.client.local import local_token
from tiltyard.containers import engine
from tiltyard.containers.images import check_present
from tiltyard.deployers.docker import DockerDeployer
from tiltyard.deployers.probe import REFUSED_EXITS, probe
from tiltyard.deployers.process import log_of
from tiltyard.deployers.reconcile import Reconciler
from tiltyard.errors import NotFoundError, TiltyardError
from tiltyard.scoring.client import ScorerClient
from tiltyard.settings import Settings
from tiltyard.types.registry import Deployment, Replica, Version

RUNTIME = "docker"
HELLO_S = 2.0


class Scorers:
    """The scorers of this installation.

    With runtime ``docker`` control itself sees to their containers; processes are children of
    `tiltyard up`, which does it for them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._docker = DockerDeployer(settings) if settings.runtime == RUNTIME else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make what runs equal to what is recorded."""
        if self._docker is not None:
            reconcile = self._reconciler(self._docker).run
            self._thread = threading.Thread(
                target=reconcile, args=(self._stop,), name="reconciler", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End that; containers run on."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def check(self, version: Version) -> None:
        """See that a version could be started here.

        Raises:
            UnavailableError: the Docker Engine is away.
            NotFoundError: the image it needs is not recorded, or not at the engine.
        """
        if self._docker is not None:
            client = engine.connect(self._settings)
            try:
                with engine.translated(self._settings):
                    check_present(client, self._docker.image_for(version.manifest))
            finally:
                client.close()

    def replicas(self, deployment: Deployment) -> list[Replica]:
        """Return how each replica of a deployment is now."""
        numbers = range(len(deployment.endpoints))
        with ThreadPoolExecutor(len(numbers)) as pool:
            return list(pool.map(lambda number: self._replica(deployment, number), numbers))

    def log(self, deployment: Deployment, replica: int) -> str:
        """Return the end of what a replica has written since its last start.

        Raises:
            NotFoundError: it has no such replica.
            UnavailableError: the Docker Engine is away.
        """
        if not 0 <= replica < deployment.replicas:
            raise NotFoundError("replica", replica, range(deployment.replicas))
        if self._docker is None:
            return log_of(self._settings.path("logs"), deployment.id, replica)
        with closing(DockerDeployer(self._settings)) as deployer:
            deployer.look()
            return deployer.tail(deployment.id, replica)

    def _replica(self, deployment: Deployment, number: int) -> Replica:
        endpoint = deployment.endpoints[number]
        try:
            with ScorerClient(endpoint, HELLO_S, uid=self._settings.scorer_uid) as client:
                hello = client.hello
        except TiltyardError:
            return Replica(number=number, endpoint=endpoint, answers=False)
        right = hello.version in {None, deployment.version} and hello.model == deployment.model
        return Replica(number=number, endpoint=endpoint, answers=right, pid=hello.pid)

    def _reconciler(self, deployer: DockerDeployer) -> Reconciler:
        settings = self._settings
        return Reconciler(
            ControlClient(settings.control_url, local_token(settings)),
            deployer,
            lambda endpoint, folder: probe(endpoint, folder, settings.scorer_uid),
            self._folder,
            runtime=RUNTIME,
            refused_exits=REFUSED_EXITS,
        )

    def _folder(self, version: Version) -> Path:
        return self._settings.path("artifacts", version.digest[:2], version.digest)
