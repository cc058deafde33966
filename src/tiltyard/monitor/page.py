"""The page as a whole: widgets, what they ask, and what they show."""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import ipywidgets
from IPython.display import display

from tiltyard.client.control import ControlClient
from tiltyard.errors import ControlAwayError, TiltyardError, UnauthenticatedError
from tiltyard.monitor import charts, decisions, judgement
from tiltyard.monitor.fields import fields
from tiltyard.monitor.source import Choice, Look, look
from tiltyard.monitor.widgets import Chart, Controls, Decisions, Header, Judgement, Message

log = logging.getLogger(__name__)

TICKET = "HTTP_X_TILTYARD_TICKET"
"""Where Voila's server leaves the visitor's ticket in the kernel's environment."""

NO_MODEL = (
    "There is no model yet. Run a pipeline: `tiltyard run prepare …`, then `tiltyard run train …`."
)
AWAY = "Tiltyard's control does not answer. This page tries again by itself."
UNEXPECTED = "Something went wrong on this page. Reload it; if it stays, tell the operator."
NO_DATA = "There is nothing to draw yet: no history was logged, and no call has come."


class Page:
    """One visitor's page.

    Args:
        client: control, as the visitor.
    """

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._choice = Choice()
        self._look: Look | None = None
        self.header, self.controls, self.chart = Header(), Controls(), Chart()
        self.judgement, self.decisions = Judgement(), Decisions()
        self.header.on_msg(self._on_message)
        self.controls.on_msg(self._on_message)
        self.decisions.on_msg(self._on_message)

    @property
    def view(self) -> ipywidgets.Widget:
        """All widgets, from top to bottom."""
        parts = [self.header, self.controls, self.chart, self.judgement, self.decisions]
        return ipywidgets.VBox(parts).add_class("ty-page")

    def refresh(self) -> None:
        """Ask control again, and show what it says."""
        found = look(self._client, self._choice)
        self._look, self._choice = found, found.choice
        self._show(found)

    def _show(self, found: Look) -> None:
        self.header.user = found.me.name
        self.header.updated = f"{datetime.now(UTC):%H:%M:%S}"
        self.controls.fields = fields(found)
        self.chart.empty = NO_DATA if found.models else NO_MODEL
        self.chart.panels = charts.panels(found)
        self.judgement.heading = "" if found.version is None else f"Version {found.version}"
        self.judgement.rows = judgement.table(found)
        self.judgement.caption = judgement.caption(found)
        self.judgement.standings = judgement.standings(found)
        self.judgement.change = judgement.last_change(found) if found.overview else ""
        self.decisions.offer = decisions.offered(found)
        self._show_run(decisions.run_of(found))

    def _show_run(self, run: dict[str, Any] | None) -> None:
        self.decisions.run = run
        self.header.hurry = bool(run and run["live"])

    def _on_message(self, _: Any, message: Message, __: Any) -> None:
        acts: dict[str, Callable[[Message], None]] = {
            "tick": self._tick,
            "hurry": self._hurry,
            "choose": self._choose,
            "retrain": self._retrain,
            "promote": self._promote,
        }
        act = acts.get(str(message.get("kind")))
        if act is None:
            return
        self._guarded(act, message)
        if message["kind"] in {"tick", "hurry"}:
            self.header.acknowledged += 1

    def _guarded(self, act: Callable[[Message], None], message: Message) -> None:
        """Act; whatever goes wrong is said on the page, since it appears nowhere else."""
        try:
            act(message)
        except ControlAwayError:
            self.header.alert = (
                "Tiltyard's control does not answer. This page tries again by itself."
            )
        except UnauthenticatedError as error:
            self.header.alert = f"{error.message.rstrip('.')}. Reload this page to log in again."
        except TiltyardError as error:
            self.header.alert = error.message
        except Exception:
            log.exception("The page could not do %s", message.get("kind"))
            self.header.alert = UNEXPECTED
        else:
            self.header.alert = ""

    def _tick(self, _: Message) -> None:
        self.refresh()

    def _hurry(self, _: Message) -> None:
        """Look at the run that is under way only; at its end look at all."""
        run = self.decisions.run
        if run is None:
            return
        told = decisions.told(self._client.run(run["id"]))
        self._show_run(told)
        if not told["live"]:
            self.refresh()

    def _choose(self, message: Message) -> None:
        old, new = self._choice, dict(message.get("chosen") or {})
        model = str(new.get("model", old.model))
        same = model == old.model
        version = new.get("version", old.version if same else None)
        self._choice = Choice(
            model,
            int(version) if version else None,
            str(new.get("variable", old.variable if same else "")),
            str(new.get("window", old.window)),
        )
        self.decisions.told = ""
        self.refresh()

    def _retrain(self, _: Message) -> None:
        self.decisions.told = decisions.retrain(self._client, self._choice.model)
        self.refresh()

    def _promote(self, message: Message) -> None:
        expected = message.get("expected")
        self.decisions.told = decisions.promote(
            self._client,
            self._choice.model,
            int(message["version"]),
            None if expected is None else int(expected),
            str(message.get("reason", "")),
        )
        self.refresh()


def show() -> None:
    """Show the page to the visitor whose ticket is in the environment."""
    client = ControlClient(os.environ["TILTYARD_CLIENT__URL"], os.environ.get(TICKET, ""))
    display(Page(client).view)
