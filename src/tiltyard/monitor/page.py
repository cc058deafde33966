"""The page as a whole: widgets, what they ask, and what they show."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import ipywidgets
from IPython.display import display

from tiltyard.client.control import ControlClient
from tiltyard.monitor import charts, decisions, judgement
from tiltyard.monitor.alerts import NO_TICKET, Alerts, sentence_for
from tiltyard.monitor.fields import chosen, fields
from tiltyard.monitor.source import Choice, Look, Source
from tiltyard.monitor.widgets import Chart, Controls, Decisions, Header, Judgement, Message
from tiltyard.settings import load_settings

TICKET = "HTTP_X_TILTYARD_TICKET"
"""Where Voila's server leaves the visitor's ticket in the kernel's environment."""

FIRST_S = 5.0
"""How long a page that is opened waits for control before it shows itself without data."""

PATIENCE_S = 25.0
"""How long a refresh waits; the next one comes after 30 s."""

Act = Callable[[Message], Coroutine[Any, Any, None]]


class Page:
    """One visitor's page.

    Control is asked from threads, so that the page's kernel goes on to acknowledge the browser.

    Args:
        client: control, as the visitor.
    """

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._source = Source(client)
        self._choice = Choice()
        self._alerts = Alerts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = self._again = False
        self.header, self.controls, self.chart = Header(), Controls(), Chart()
        self.judgement, self.decisions = Judgement(), Decisions()
        for widget in (self.header, self.controls, self.decisions):
            widget.on_msg(self._on_message)

    @property
    def view(self) -> ipywidgets.Widget:
        """All widgets, from top to bottom."""
        parts = [self.header, self.controls, self.chart, self.judgement, self.decisions]
        return ipywidgets.VBox(parts).add_class("ty-page")

    async def refresh(self) -> None:
        """Ask control again, and show what it says; what is asked meanwhile, is asked once."""
        if self._looking:
            self._again = True
            return
        self._looking = True
        try:
            while True:
                self._again = False
                choice = self._choice
                asked = asyncio.wrap_future(self._source.begin(choice))
                found = await asyncio.wait_for(asked, PATIENCE_S)
                if choice == self._choice:
                    self.show(found)
                    break
        except Exception as error:
            self._tell("look", error)
            self.header.looks += 1
        finally:
            self._looking = False
        if self._again:
            await self.refresh()

    def first(self) -> None:
        """Look for the first time, before the page is there; give up early on a slow control."""
        try:
            self.show(self._source.begin(self._choice).result(FIRST_S))
        except Exception as error:
            self._tell("look", error)

    def show(self, found: Look) -> None:
        """Show what control said."""
        self._choice = found.choice
        self.header.user = found.me.name
        self.controls.fields = fields(found)
        self.chart.empty = charts.nothing(found)
        self.chart.panels = charts.panels(found)
        self.judgement.shown = judgement.shown(found)
        self.decisions.offer = decisions.offered(found)
        self._show_run(decisions.run_of(found))
        self.header.alert = self._alerts.tell("look", "")
        self.header.updated = f"{datetime.now(UTC):%H:%M:%S}"
        self.header.looks += 1

    def _show_run(self, run: dict[str, Any] | None) -> None:
        self.decisions.run = run
        self.header.hurry = bool(run and run["live"])

    def _on_message(self, _: Any, message: Message, __: Any) -> None:
        self.header.acknowledged += 1
        acts: dict[str, tuple[str, Act]] = {
            "tick": ("look", self._tick),
            "hurry": ("look", self._hurry),
            "choose": ("look", self._choose),
            "retrain": ("act", self._retrain),
            "promote": ("act", self._promote),
        }
        if known := acts.get(str(message.get("kind"))):
            task = asyncio.get_running_loop().create_task(self._guarded(*known, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _guarded(self, of: str, act: Act, message: Message) -> None:
        """Act; whatever goes wrong is said on the page, since it appears nowhere else."""
        try:
            await act(message)
        except Exception as error:
            self._tell(of, error)

    def _tell(self, of: str, error: Exception) -> None:
        sentence = sentence_for(error, datetime.now(UTC), self.header.every)
        self.header.alert = self._alerts.tell(of, sentence)

    async def _tick(self, _: Message) -> None:
        await self.refresh()

    async def _hurry(self, _: Message) -> None:
        """Look at the run that is under way only; at its end look at all."""
        run = self.decisions.run
        if run is None:
            return
        told = decisions.told(await asyncio.to_thread(self._client.run, run["id"]))
        self._show_run(told)
        if not told["live"]:
            await self.refresh()

    async def _choose(self, message: Message) -> None:
        self._choice = chosen(self._choice, dict(message.get("chosen") or {}))
        self.decisions.told = {}
        self.header.alert = self._alerts.tell("act", "")
        await self.refresh()

    async def _retrain(self, _: Message) -> None:
        await self._decide(decisions.retrain, self._client, self._choice.model)

    async def _promote(self, message: Message) -> None:
        version, expected, reason = decisions.asked(message)
        model = self._choice.model
        await self._decide(decisions.promote, self._client, model, version, expected, reason)

    async def _decide(self, decide: Callable[..., dict[str, Any]], *arguments: Any) -> None:
        """Decide, tell how it went, and look again."""
        self.header.alert = self._alerts.tell("act", "")
        self.decisions.told = {}
        self.decisions.busy = True
        try:
            self.decisions.told = await asyncio.to_thread(decide, *arguments)
        finally:
            self.decisions.busy = False
        await self.refresh()


def show() -> None:
    """Show the page to the visitor whose ticket is in the environment."""
    ticket = os.environ.get(TICKET, "")
    page = Page(ControlClient(load_settings().control_url, ticket))
    if ticket:
        page.first()
    else:
        page.header.alert = NO_TICKET
    display(page.view)
