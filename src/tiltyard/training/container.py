"""Executes notebooks in containers: one a run, made from the recorded image."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tiltyard.artifacts.disk import room_on
from tiltyard.containers.attached import attached
from tiltyard.containers.ending import remove, remove_ended
from tiltyard.containers.engine import connect
from tiltyard.containers.hardening import hardened
from tiltyard.containers.images import check_present, read_lock
from tiltyard.containers.labels import Role, labels, named
from tiltyard.containers.network import ensure_network, on_network
from tiltyard.settings import Limits, Settings
from tiltyard.training.child_container import ChildContainer
from tiltyard.training.folder import RunFolder
from tiltyard.training.job import Job
from tiltyard.training.keys import image_digest
from tiltyard.training.lakes import lake_in_container
from tiltyard.training.pipelines import PYTHON
from tiltyard.training.place import notebook_environment

if TYPE_CHECKING:
    from docker import DockerClient

IMAGE = "lab-"
"""With the language behind it, the name of the image."""
USER = 10001
"""User and group inside where Tiltyard runs as root: the images' own."""
TMP_MB = 512
SHM_MB = 256

_LIFELINE = "0"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


class ContainerPlace:
    """A `Place`: containers of the newest recorded image, on the users' network.

    Args:
        settings: of the runner.
        language: of the notebooks.

    Raises:
        NotFoundError: no image is recorded.
        IntegrityError: the record is damaged.
    """

    def __init__(self, settings: Settings, language: str = PYTHON) -> None:
        self._settings = settings
        self._image = read_lock(settings.images_lock).current(f"{IMAGE}{language}")
        self._lake = lake_in_container(settings)

    @property
    def image(self) -> str:
        """Its id."""
        return self._image.id

    @property
    def environment(self) -> str:
        """Digest of the image's id."""
        return image_digest(self._image.id)

    @property
    def packages(self) -> str:
        """As they were recorded with the image."""
        return self._image.packages

    @property
    def addresses(self) -> dict[str, str]:
        """Control and gateway as seen from the users' network, the lake as it is mounted."""
        return {
            "TILTYARD_CLIENT__URL": self._settings.container_control_url,
            "TILTYARD_CLIENT__GATEWAY_URL": self._settings.container_gateway_url,
            "TILTYARD_LAKE__URL": self._lake.url,
            "TILTYARD_IMAGE": self._image.id,
        }

    @contextmanager
    def start(
        self, job: Job, folder: RunFolder, environment: Mapping[str, str]
    ) -> Iterator[ChildContainer]:
        """Start a container that ends with this process at the latest: its input is the lifeline.

        Raises:
            NotFoundError: the recorded image is not at the engine.
            UnavailableError: the engine is away, or a disk is full.
        """
        settings, description = self._settings, folder.private / "job.json"
        client = connect(settings)
        try:
            self._make_ready(client, folder)
            with room_on(folder.path):
                job.write(description)
            user = _hand_over(folder)
            command = ["python", "-m", "tiltyard.training.notebook", str(description), _LIFELINE]
            options = self._options(folder, environment, user)
            with attached(client, settings, self._image.id, command, **options) as held:
                held.start()
                child = ChildContainer(held, folder, settings.runner)
                try:
                    yield child
                finally:
                    child.finish()
        finally:
            client.close()

    def _make_ready(self, client: "DockerClient", folder: RunFolder) -> None:
        check_present(client, self._image)
        ensure_network(client, self._settings)
        remove(client, self._settings, _name(self._settings, folder), 0)
        remove_ended(client, self._settings, Role.RUN)

    def _options(
        self, folder: RunFolder, environment: Mapping[str, str], user: str
    ) -> dict[str, Any]:
        from docker.types import Mount, Ulimit  # noqa: PLC0415  an extra

        run, limits = folder.path.name, self._settings.runner
        most = limits.disk_mb * 1_000_000
        # Each by itself: so a run can replace none of them, nor reach what is beside them.
        mounts = [Mount(str(path), str(path), type="bind") for path in folder.written]
        return {
            **hardened(
                Limits(memory_mb=limits.memory_mb, cpus=limits.cpus, pids=limits.pids),
                user=user,
                tmp_mb=TMP_MB,
            ),
            **on_network(self._settings),
            "name": _name(self._settings, folder),
            "labels": labels(self._settings, Role.RUN, run=run),
            "mounts": [*mounts, *self._lake.mounts],
            "ulimits": [Ulimit(name="fsize", soft=most, hard=most)],
            "shm_size": SHM_MB * 2**20,
            "working_dir": str(folder.work),
            "environment": {
                **environment,
                **notebook_environment(folder),
                "HOME": str(folder.private),
                "USER": "yard",
            },
        }


def _name(settings: Settings, folder: RunFolder) -> str:
    return named(settings, "run", _UNFIT.sub("-", folder.path.name))


def _hand_over(folder: RunFolder) -> str:
    """Give what the run may write to the user inside; return that user."""
    if os.geteuid():
        return f"{os.geteuid()}:{os.getegid()}"
    for top in folder.written:
        for path, _, files in os.walk(top):
            for name in (".", *files):
                os.chown(os.path.join(path, name), USER, USER, follow_symlinks=False)  # noqa: PTH118
    return f"{USER}:{USER}"
