"""What the engine says of scorers' containers."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tiltyard.deployers.child import HEALTHY_AFTER_S

DEPLOYMENT = "deployment"
REPLICA = "replica"

_RUNNING = "running"
_RESTARTING = "restarting"
_NEVER = "0001-"
_YOUNG = ("second", "minute")


@dataclass(frozen=True)
class View:
    """One container.

    Attributes:
        status: ``created``, ``running``, ``restarting``, ``exited``, ``dead`` or another of
            Docker's words.
        started_at: of its latest start, as the engine writes it.
        restarts: how often the engine has started it again.
        early_ends: how often in a row it ended before it had run for long.
        memory_mb: what it may have.
        out_of_memory: whether something in it was killed for want of memory since that start.
    """

    id: str
    status: str
    started_at: str
    exit_code: int
    restarts: int
    early_ends: int
    memory_mb: int
    out_of_memory: bool

    @property
    def running(self) -> bool:
        """Whether it runs now; one that waits to be started again does not."""
        return self.status == _RUNNING

    @property
    def tended(self) -> bool:
        """Whether the engine starts it again by itself."""
        return self.status in {_RUNNING, _RESTARTING}

    @property
    def started_s(self) -> int:
        """When it was started last, in whole seconds since 1970; 0 if never."""
        never = self.started_at.startswith(_NEVER)
        return 0 if never else int(_instant(self.started_at).timestamp())

    @property
    def run(self) -> int:
        """A number that another start does not have."""
        return zlib.crc32(f"{self.id}{self.started_at}".encode())


def view_of(inspected: Mapping[str, Any], before: View | None) -> View:
    """Return a container's view from the engine's document about it and the view before."""
    state = inspected["State"]
    restarts = int(inspected["RestartCount"])
    return View(
        id=inspected["Id"],
        status=state["Status"],
        started_at=state["StartedAt"],
        exit_code=int(state["ExitCode"]),
        restarts=restarts,
        early_ends=_early_ends(state, restarts, before),
        memory_mb=int(inspected["HostConfig"]["Memory"]) // 2**20,
        out_of_memory=bool(state["OOMKilled"]),
    )


def may_have_changed(listed: Mapping[str, Any], before: View | None) -> bool:
    """Whether a line of the engine's list is reason to ask more of a container.

    One that was seen running and has been up for longer than some minutes is the same still.
    """
    if before is None or not before.running or listed["State"] != _RUNNING:
        return True
    return any(word in listed["Status"] for word in _YOUNG)


def _early_ends(state: Mapping[str, Any], restarts: int, before: View | None) -> int:
    """Count on; a long life in between makes the count begin anew."""
    if before is None:
        return restarts
    if state["Status"] == _RUNNING and _age_s(state["StartedAt"], None) > HEALTHY_AFTER_S:
        return 0
    if restarts <= before.restarts:
        return before.early_ends
    lived = _age_s(before.started_at, state["FinishedAt"])
    return restarts - before.restarts + (0 if lived > HEALTHY_AFTER_S else before.early_ends)


def _age_s(start: str, end: str | None) -> float:
    if start.startswith(_NEVER) or (end or "").startswith(_NEVER):
        return 0.0
    until = datetime.now(UTC) if end is None else _instant(end)
    return (until - _instant(start)).total_seconds()


def _instant(text: str) -> datetime:
    """Parse Docker's time, whose fraction may have nine digits."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:<06}+00:00")
