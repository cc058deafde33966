"""The collaborators that every route receives; ``control.app`` wires them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from tiltyard.artifacts import ArtifactStore
from tiltyard.control.changes import Changes
from tiltyard.control.history_series import HistorySeries
from tiltyard.control.people import People
from tiltyard.control.performance import Performance
from tiltyard.control.scorers import Scorers
from tiltyard.registry import Registry
from tiltyard.settings import Settings
from tiltyard.stores.base import Store

if TYPE_CHECKING:
    from tiltyard.control.auth import Verifier


@dataclass(frozen=True)
class Parts:
    """What control is made of.

    Attributes:
        verifiers: know the tokens, asked in this order.
        people: asks the hub who somebody is.
        scorers: what runs the deployments.
        changes: tells who waits for something that it may have come.
    """

    settings: Settings
    registry: Registry
    store: Store
    artifacts: ArtifactStore
    performance: Performance
    histories: HistorySeries
    changes: Changes
    people: People
    scorers: Scorers
    verifiers: tuple["Verifier", ...] = ()

    @property
    def scratch(self) -> Path:
        """Folder for bodies on their way; what is in it may be deleted at any start."""
        return self.settings.path("tmp")


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]
