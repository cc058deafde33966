"""Plays what was held back, in the data's own time."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from demo.application import Application
from demo.data import Observation
from demo.screen import console


class Production:
    """Two applications, and what they have still to see.

    Args:
        rides: for the shop, in the order of their hours.
        readings: for telemetry; they are spread over all the hours.
        speed: hours of the data a second; None for as fast as it goes.
        on_answer: told of the version that answered the shop, and until which hour.
    """

    shop: Application
    telemetry: Application

    def __init__(
        self,
        rides: list[Observation],
        readings: list[Observation],
        speed: float | None,
        on_answer: Callable[[int, datetime], None] = lambda version, until: None,
    ) -> None:
        self.rides = rides
        self._readings = readings
        self._pace = len(readings) / len(rides)
        self._speed = speed
        self._on_answer = on_answer

    @property
    def calls(self) -> int:
        """Predictions that were answered."""
        return self.shop.calls + self.telemetry.calls

    def play(self, until: datetime, hours: int) -> None:
        """Play up to an instant, so many hours in one call."""
        part = [o for o in self.rides if o.at is not None and o.at < until]
        self.rides = self.rides[len(part) :]
        columns = (TextColumn("  {task.description}"), BarColumn())
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            task = progress.add_task("", total=len(part))
            for start in range(0, len(part), hours):
                began = time.monotonic()
                chunk = part[start : start + hours]
                self._play(chunk)
                progress.update(task, advance=len(chunk), description=f"{chunk[-1].at:%d %B}")
                self._wait(began, len(chunk))

    def finish(self) -> None:
        """Send the actuals that are still to become known; at the year's end all readings."""
        while not self.rides and self._readings:
            self._read(1000)
        self.shop.send_actuals()
        self.telemetry.send_actuals()

    def ask_aside(self, observation: Observation) -> dict[str, Any]:
        """Ask the shop's model without ever sending an actual."""
        return self.shop.predict([observation], remember=False)

    def close(self) -> None:
        """Close the connections there are."""
        for name in ("shop", "telemetry"):
            if name in vars(self):
                getattr(self, name).close()

    def _play(self, chunk: Sequence[Observation]) -> None:
        answer = self.shop.predict(chunk)
        now = chunk[-1].at
        self.shop.send_actuals(now)
        if now is not None:
            self._on_answer(int(answer["version"]), now)
        self._read(int(self._pace * len(chunk)))

    def _read(self, count: int) -> None:
        seen, self._readings = self._readings[:count], self._readings[count:]
        if seen:
            self.telemetry.predict(seen)
            self.telemetry.send_actuals()

    def _wait(self, began: float, hours: int) -> None:
        if self._speed is not None:
            time.sleep(max(0.0, hours / self._speed - (time.monotonic() - began)))
