"""Carries out one claimed run, from its plan to its outcome."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TypeVar

from tiltyard.client.control import ControlClient
from tiltyard.errors import IntegrityError, TiltyardError
from tiltyard.settings import Settings
from tiltyard.training.execute import CANCELLED, MOST_NOTEBOOK_BYTES, Outcome, execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.place import Place
from tiltyard.training.places import place_of
from tiltyard.training.plans import Plan, plan_run
from tiltyard.training.reporter import Reporter, insist
from tiltyard.training.results import complete, logged_version, pack_version, written_history
from tiltyard.types.registry import Run, RunKind, RunState, Version

T = TypeVar("T")

STOPPED = "the runner was stopped"

_LAST_WORDS_S = 1.0

log = logging.getLogger(__name__)


class Work:
    """One run.

    Args:
        settings: of the runner.
        client: of control, with the runner's token.
        run: the claimed one.
        token: the run's own, for its notebook.
        stopping: set when the runner is to end.
    """

    def __init__(
        self, settings: Settings, client: ControlClient, run: Run, token: str, stopping: Event
    ) -> None:
        self._settings = settings
        self._client = client
        self._run = run
        self._token = token
        self._as_run = ControlClient(settings.control_url, token)
        self._stopping = stopping
        self._stop_at: float | None = None
        self._folder = RunFolder(settings.path("runs", run.id))
        self._folder.path.mkdir(parents=True, exist_ok=True)
        self._folder.log.touch()
        self._reporter = Reporter(client, run, self._folder.log, settings.runner.heartbeat_s)

    def carry_out(self) -> None:
        """Do all of it; every error that a run can have becomes the run's."""
        told: dict[str, object]
        try:
            with self._as_run, self._reporter:
                told = self._results()
            state = RunState.SUCCEEDED
        except _StoppedError as stopped:
            state = RunState.CANCELLED if stopped.message == CANCELLED else RunState.FAILED
            told = {"error": stopped.message}
        except TiltyardError as error:
            state, told = RunState.FAILED, {"error": error.message, **_known(error)}
        # A fault of ours must end this run, not the runner that others wait for.
        except Exception as error:
            log.exception("Run %s", self._run.id)
            state, told = RunState.FAILED, {"error": f"the runner: {type(error).__name__}: {error}"}
        self._clean()
        self._reporter.outcome(state, self._until, **told)

    def _results(self) -> dict[str, object]:
        request = self._run.request
        pipelines = self._settings.pipelines.path
        plan = self._insist(lambda: plan_run(self._as_run, pipelines, request, self._software))
        place = place_of(self._settings, plan.language)
        found = None if request.force else self._known_version(plan)
        if found is None:
            self._execute(place, plan)
        if request.kind is RunKind.PREPARE:
            return {"history": written_history(self._folder.out).digest}
        version = found or self._register(place, plan).version
        history = plan.history.digest if plan.history else None
        told: dict[str, object] = {"version": version, "history": history, "key": plan.key}
        if request.deploy:
            self._deploy(plan, version)
        return told

    def _software(self, language: str) -> str:
        return place_of(self._settings, language).environment

    def _known_version(self, plan: Plan) -> int | None:
        key = plan.key
        if key is None:
            return None
        run = self._insist(lambda: self._client.run_by_key(key))
        if run is None or run.version is None:
            return None
        with self._folder.log.open("a") as file:
            file.write(f"Run {run.id} made version {run.version} of the same; --force runs anew.\n")
        return run.version

    def _execute(self, place: Place, plan: Plan) -> None:
        outcome = execute(
            place,
            plan.notebook,
            plan.parameters,
            self._folder,
            environment={**place.addresses, **self._environment(plan)},
            timeout_s=self._run.request.timeout_s,
            on_progress=self._reporter.progress,
            stopped=self._stop_reason,
        )
        self._raise_for(outcome)

    def _raise_for(self, outcome: Outcome) -> None:
        if outcome.error is None:
            return
        if outcome.error in {CANCELLED, STOPPED, self._reporter.stop_reason()}:
            raise _StoppedError(outcome.error)
        raise TiltyardError(outcome.error)

    def _stop_reason(self) -> str | None:
        return STOPPED if self._stopping.is_set() else self._reporter.stop_reason()

    def _environment(self, plan: Plan) -> dict[str, str]:
        told = {"TILTYARD_RUN_ID": self._run.id, "TILTYARD_CLIENT__TOKEN": self._token}
        if plan.history is not None:
            told["TILTYARD_RUN_HISTORY"] = plan.history.digest
        return told

    def _register(self, place: Place, plan: Plan) -> Version:
        manifest = logged_version(self._folder.out)
        if manifest.model != plan.model:
            raise IntegrityError(
                f"the notebook logged a version of {manifest.model!r}, but the run is about "
                f"{plan.model!r}"
            )
        folder = self._folder.out / "version"
        complete(folder, manifest, self._notebooks(), plan.effective, _provenance(place, plan))
        packed = self._folder.path / "version.tar"
        pack_version(folder, packed)
        return self._insist(lambda: self._upload(plan.model, packed))

    def _notebooks(self) -> dict[str, Path]:
        if not self._folder.notebook.exists():
            raise IntegrityError(
                "the executed notebook is not whole, or larger than "
                f"{MOST_NOTEBOOK_BYTES // 1_000_000} MB: let it show less"
            )
        return {"source.ipynb": self._folder.source, "notebook.ipynb": self._folder.notebook}

    def _upload(self, model: str, packed: Path) -> Version:
        # The same folder again is the same version: an answer may be lost.
        with packed.open("rb") as file:
            return self._as_run.add_version(model, file, run=self._run.id)

    def _deploy(self, plan: Plan, version: int) -> None:
        try:
            self._insist(lambda: self._as_run.deploy(plan.model, version))
            if self._run.request.kind is RunKind.RETRAIN:
                since = self._replay_since(plan)
                self._insist(lambda: self._as_run.replay(plan.model, version, since))
        except TiltyardError as error:
            raise _NotDeployedError(version, error) from error

    def _replay_since(self, plan: Plan) -> datetime:
        """Return where the model's live window begins, seen from the newest actual."""
        days = self._insist(lambda: self._as_run.model(plan.model)).thresholds.window_days
        newest = plan.history.event_end if plan.history else None
        return (newest or datetime.now(UTC)) - timedelta(days=days)

    def _insist(self, call: Callable[[], T]) -> T:
        return insist(call, self._until)

    def _until(self) -> float | None:
        """Return when to stop trying: soon once the runner is to end or the run is unwanted."""
        if self._stop_at is None and self._stop_reason() is not None:
            self._stop_at = time.monotonic() + _LAST_WORDS_S
        return self._stop_at

    def _clean(self) -> None:
        self._folder.clean()
        (self._folder.path / "version.tar").unlink(missing_ok=True)


class _StoppedError(TiltyardError):
    """The run was not to end by itself."""


class _NotDeployedError(TiltyardError):
    """The version is there, its deployment is not."""

    def __init__(self, version: int, why: TiltyardError) -> None:
        message = f"version {version} is registered but could not be deployed: {why.message}"
        super().__init__(message, version=version)


def _known(error: TiltyardError) -> dict[str, object]:
    return {"version": error.details["version"]} if isinstance(error, _NotDeployedError) else {}


def _provenance(place: Place, plan: Plan) -> dict[str, object]:
    return {
        "notebook": plan.notebook.name,
        "notebook_digest": plan.notebook_digest,
        "history_digest": plan.history.digest if plan.history else None,
        "lock_digest": place.packages,
        "image": place.image,
    }
