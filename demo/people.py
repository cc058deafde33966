"""Who uses the demo: one person of each kind, with passwords that are made now."""

import secrets
from dataclasses import dataclass

import httpx

from demo import screen
from demo.site import Site

TEAMS = ("rentals", "flight")
"""Owner groups of the two models."""


@dataclass(frozen=True)
class Person:
    """A user of the hub."""

    name: str
    groups: tuple[str, ...]
    does: str


PEOPLE = (
    Person("ann", ("scientists", *TEAMS), "works in JupyterLab, trains, deploys, retrains"),
    Person("pat", ("promoters", *TEAMS), "chooses champions in the Monitor"),
    Person("vic", ("viewers",), "looks, and may change nothing"),
)


class Invitation:
    """Adds the people, and tells where they go."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._passwords: dict[str, str] = {}

    def add_people(self) -> None:
        """Make the users.

        Raises:
            StepFailedError: the hub does not take them, or the Monitor does not ask for a login.
        """
        screen.chapter("People")
        for person in PEOPLE:
            password = secrets.token_urlsafe(9)
            groups = [word for group in person.groups for word in ("--group", group)]
            self._site.run("user", "add", person.name, *groups, "--password-stdin", given=password)
            self._passwords[person.name] = password
        page = httpx.get(self._site.monitor_url, follow_redirects=True, timeout=30, trust_env=False)
        asks = page.is_success and "/hub/login" in str(page.url)
        screen.check(asks, "the Monitor is there, and asks who you are")

    def tell(self) -> None:
        """Print where to go, as whom, and what to look at."""
        screen.chapter("Open in a browser")
        screen.note(f"JupyterHub   {self._site.hub_url}")
        screen.note(f"Monitor      {self._site.monitor_url}")
        screen.table(
            ("user", "password", "what for"),
            [(p.name, self._passwords[p.name], p.does) for p in PEOPLE],
            right=False,
        )
        screen.note("Look at bikeshare in the Monitor: April begins, and nobody has seen a spring.")
        screen.note(
            "When the champion's error has grown, Retrain as ann or pat; To Champion as pat."
        )
        screen.note("docs/first-hour.md walks you through it.")
