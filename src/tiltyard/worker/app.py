"""Wires the worker: which tasks there are to do, and a thread for each."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

from tiltyard.client.control import ControlClient
from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings
from tiltyard.stores.base import Store
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ModelRoute, RouteTable, VersionRoute
from tiltyard.worker.files import replace_file
from tiltyard.worker.follower import Follower
from tiltyard.worker.jobs import Job, Pace, TaskThread
from tiltyard.worker.relay import Relay
from tiltyard.worker.summariser import Summariser
from tiltyard.worker.table import RouteCache

log = logging.getLogger(__name__)

END_S = 2.0
"""How long tasks may take to end."""

STATUS_S = 1.0

START_AGAIN_S = 5.0
"""Pause before a task that could not begin, or ended by itself, is begun again."""


class Worker:
    """Keeps a thread for every spool folder, deployed version and model.

    Several workers may share a store: each task is done by the one that holds its lease.
    """

    def __init__(self, settings: Settings, store: Store, client: ControlClient) -> None:
        self._settings = settings
        self._store = store
        self._client = client
        self._routes = RouteCache(client, settings.path("worker-routes.json"))
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        pace = settings.worker
        self._pace = Pace(poll=pace.poll_s, lease=pace.lease_s)
        self._numbers = count()
        self._start_after: dict[str, float] = {}
        self._threads: dict[str, TaskThread] = {}
        self._ending = False
        self._status_at = 0.0

    def end(self) -> None:
        """Make ``run`` return. Takes no lock, so a signal handler may call it."""
        self._ending = True

    def run(self) -> bool:
        """Work until ``end``; whether every task has ended in time."""
        self._routes.start()
        log.info("worker %s begins", self._holder)
        while not self._ending:
            self._reconcile()
            self._tell_status()
            sleep(self._settings.worker.poll_s)
        return self._finish()

    def _reconcile(self) -> None:
        """Start what is missing, end what is no longer wanted."""
        wanted = dict(self._tasks(self._routes.table))
        for key in [k for k in self._threads if k not in wanted]:
            log.info("%s: no longer wanted", key)
            self._threads.pop(key).end()
        for key, make in wanted.items():
            missing = key not in self._threads or not self._threads[key].is_alive()
            if missing and monotonic() >= self._start_after.get(key, 0.0):
                self._start(key, make)

    def _start(self, key: str, make: Callable[[], Job]) -> None:
        self._start_after[key] = monotonic() + START_AGAIN_S
        try:
            job = make()
        except (TiltyardError, OSError) as error:
            log.warning("%s cannot begin: %s", key, error)
            return
        holder = f"{self._holder}:{next(self._numbers)}"
        self._threads[key] = TaskThread(job, self._store, holder, self._pace)
        self._threads[key].start()

    def _tasks(self, table: RouteTable | None) -> Iterator[tuple[str, Callable[[], Job]]]:
        """Yield a key, which changes when a job must be made anew, and how to make the job."""
        for info in sorted(self._settings.path("spool").glob("*/spool.json")):
            # The file is replaced when its gateway starts; the folder may be a new one then.
            key = f"relay {info.parent} {_changed_at(info)}"
            yield key, partial(self._relay, info.parent)
        for model in table.models if table else ():
            yield f"summarise {model.name}", partial(self._summariser, model.name)
            for version in (model.champion, *model.challengers):
                if version is not None:
                    where = f"{version.deployment} {' '.join(version.endpoints)}"
                    key = f"follow {model.name} {version.version} at {where}"
                    yield key, partial(self._follower, model.name, version)

    def _relay(self, folder: Path) -> Job:
        return Relay(folder, self._store, self._settings.worker.batch_records)

    def _summariser(self, model: str) -> Job:
        def route() -> ModelRoute | None:
            return None if self._routes.table is None else self._routes.table.model(model)

        def versions() -> dict[int, VersionManifest]:
            return {v.version: v.manifest for v in self._client.versions(model)}

        return Summariser(model, route, versions, self._store)

    def _follower(self, model: str, version: VersionRoute) -> Job:
        return Follower(
            model,
            version,
            self._store,
            batch=self._settings.worker.batch_records,
            timeout=self._settings.gateway.answer_timeout_s,
            uid=self._settings.scorer_uid,
        )

    def _finish(self) -> bool:
        self._routes.end()
        for thread in self._threads.values():
            thread.end()
        deadline = monotonic() + END_S
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - monotonic()))
        late = [t.name for t in self._threads.values() if t.is_alive()]
        if late:
            log.warning("not waiting for %s; what they did not finish is resumed", ", ".join(late))
        return not late

    def _tell_status(self) -> None:
        """Write ``worker.json`` for people and doctors."""
        if monotonic() < self._status_at:
            return
        self._status_at = monotonic() + STATUS_S
        tasks = {t.name: {**t.job.status, "leased": t.leased} for t in self._threads.values()}
        state = {"holder": self._holder, "at": datetime.now(UTC).isoformat(), "tasks": tasks}
        replace_file(self._settings.path("worker.json"), json.dumps(state, indent=1))


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
