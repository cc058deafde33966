"""Calls about runs."""

import json
from http import HTTPStatus

from tiltyard.client.calls import Calls, json_of
from tiltyard.errors import NotFoundError
from tiltyard.types.registry import Run, RunProgress, RunRequest, RunState


class RunCalls(Calls):
    """Runs, for people and for the runner."""

    def request_run(self, request: RunRequest) -> Run:
        """Queue a run."""
        return self._send(Run, "POST", "/runs", json_of(request))

    def runs(self, state: RunState | str | None = None, limit: int | None = None) -> list[Run]:
        """Return runs, newest first."""
        return self._list(Run, "/runs", state=state and str(state), limit=limit)

    def run(self, run: str) -> Run:
        """Return one run."""
        return self._get(Run, f"/runs/{run}")

    def cancel_run(self, run: str) -> Run:
        """Ask for a run to be ended."""
        return self._send(Run, "POST", f"/runs/{run}/cancel")

    def run_log(self, run: str, offset: int = 0) -> tuple[str, int]:
        """Return the log from a byte offset on, and the offset to ask for next."""
        answer = self.transport.send("GET", f"/runs/{run}/log", params={"offset": offset})
        return answer.text, int(answer.headers["x-next-offset"])

    def claim_run(self, runner: str, lost_after_s: float) -> tuple[Run, str] | None:
        """Take the next run and the token of its notebook; None when there is none."""
        body = {"runner": runner, "lost_after_s": lost_after_s}
        answer = self.transport.send("POST", "/runs/claim", json=body)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        claimed = answer.json()
        return Run.model_validate_json(json.dumps(claimed["run"])), claimed["token"]

    def update_run(
        self,
        run: str,
        *,
        progress: RunProgress | None = None,
        state: RunState | str | None = None,
        version: int | None = None,
        history: str | None = None,
        error: str | None = None,
        key: str | None = None,
        attempt: int | None = None,
    ) -> Run:
        """Tell that a run lives, how far it is, or how it ended; None leaves a field.

        Raises:
            ConflictError: the run is not running, or at another attempt than the given one.
        """
        told = {
            "progress": json_of(progress),
            "state": state and str(state),
            "version": version,
            "history": history,
            "error": error,
            "key": key,
            "attempt": attempt,
        }
        body = {name: value for name, value in told.items() if value is not None}
        return self._send(Run, "PATCH", f"/runs/{run}", body)

    def append_run_log(self, run: str, text: str) -> None:
        """Append to a run's log."""
        content = text.encode()
        headers = {"content-type": "text/plain; charset=utf-8"}
        self.transport.send("POST", f"/runs/{run}/log", content=content, headers=headers)

    def run_by_key(self, key: str) -> Run | None:
        """Return the run of that key that succeeded, if there is one."""
        try:
            return self._get(Run, f"/runs/by-key/{key}")
        except NotFoundError:
            return None
