"""The story of the demo, a chapter each."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from demo import data, screen
from demo.application import Application
from demo.data import Observation
from demo.measures import MONTHS, Measures
from demo.people import Invitation
from demo.play import Production
from demo.site import Site

BIKES, SHUTTLE = "bikeshare", "shuttle"
HOURS_A_CALL = 48
LAST = len(MONTHS) - 1


class Story:
    """Tells the story on a site that is up; each chapter checks its steps.

    Args:
        site: a running Tiltyard with an empty home.
        speed: hours of the data a second; None for as fast as it goes.
        started: monotonic time at which the demo began.
    """

    def __init__(self, site: Site, speed: float | None, started: float) -> None:
        self._site = site
        self._started = started
        self._hours_a_call = 1 if speed else HOURS_A_CALL
        rides, readings = data.rides(), data.readings()
        self._bikes = Measures(site, BIKES, rides)
        self._shuttle = Measures(site, SHUTTLE, readings)
        self._production = Production(list(rides), readings, speed, self._tell_of_answer)
        self._answering: int | None = None
        self._invitation = Invitation(site)
        self.curl = ""

    def show(self) -> None:
        """Bring it up, invite, and play the year for who looks on and decides.

        Raises:
            StepFailedError: a step did not come out.
        """
        try:
            self.first_prediction()
            self.challengers()
            self._invitation.add_people()
            self._invitation.tell()
            screen.command([self.curl])
            self.year_to_watch()
        finally:
            self._production.close()

    def tell(self) -> None:
        """Tell all of it.

        Raises:
            StepFailedError: a step did not come out.
        """
        try:
            self.first_prediction()
            self.challengers()
            self._invitation.add_people()
            self.april()
            self.retraining()
            self.rest_of_the_year()
            self.rolling_back()
            self.summary()
        finally:
            self._production.close()

    def first_prediction(self) -> None:
        """From the lake to a champion that answers."""
        screen.chapter("From the data lake to the first prediction")
        self._site.run("lake", "load")
        self._site.run("run", "prepare", BIKES, "--owner-group", "rentals")
        self._train(BIKES, 1, "estimator=forest")
        self._site.run("deploy", BIKES, "1")
        self._site.run("promote", BIKES, "1", "--reason", "the first one")
        token = self._token("bike-shop", BIKES)
        self._production.shop = Application(self._site.gateway_url, token, BIKES)
        value = self._check_answers(1, self._bikes.observations[0])
        seconds = time.monotonic() - self._started
        screen.note(
            f"{value:.1f} bikes in the first hour of April, {seconds:.0f} s after the start"
        )
        self.curl = _curl(self._site, token, self._bikes.observations[-1])

    def challengers(self) -> None:
        """A second version, and another model."""
        screen.chapter("Challengers, and a second model")
        site = self._site
        with ThreadPoolExecutor() as both:
            training = both.submit(self._train, BIKES, 2, "estimator=linear")
            site.run("run", "prepare", SHUTTLE, "--owner-group", "flight")
            training.result()
            deploying = both.submit(site.run, "deploy", BIKES, "2")
            self._train(SHUTTLE, 1, "estimator=logistic")
            deploying.result()
            deploying = both.submit(site.run, "deploy", SHUTTLE, "1")
            self._train(SHUTTLE, 2, "estimator=forest", "n_estimators=50")
            site.run("deploy", SHUTTLE, "2")
            deploying.result()
        site.run("promote", SHUTTLE, "1", "--reason", "the first one")
        token = self._token("telemetry", SHUTTLE)
        self._production.telemetry = Application(self._site.gateway_url, token, SHUTTLE)
        found = {(d["model"], d["version"], d["state"]) for d in self._site.ask("/deployments")}
        expected = {(m, v, "healthy") for m in (BIKES, SHUTTLE) for v in (1, 2)}
        screen.check(found == expected, "two versions of each model repeat their golden rows")

    def april(self) -> None:
        """The champion degrades, its challenger does better."""
        screen.chapter("April: spring was not in the training data")
        self._production.play(MONTHS[1], hours=1)
        self._production.finish()
        rows = [self._bikes.wait_for(version, 0, 1) for version in (1, 2)]
        screen.check(True, f"{rows[0]} calls and their actuals are stored, each once")
        hold_out = {v: float(self._bikes.on_history(v)["mae"]) for v in (1, 2)}
        live = {v: self._mae(v, 0, 1) for v in (1, 2)}
        screen.table(
            ("mean error in bikes", "hold-out", "April"),
            [
                ("version 1, champion", hold_out[1], live[1]),
                ("version 2, challenger", hold_out[2], live[2]),
            ],
        )
        screen.check(live[1] > 1.25 * hold_out[1], "the champion's error has grown")
        screen.check(live[2] < live[1], "its challenger does better on the same calls")
        report = self._site.run("check", BIKES, "--json", expect=1).json
        screen.check(report["degraded"], f"exit code 1: {report['reasons'][0]}")

    def retraining(self) -> None:
        """History plus April make a new version, which takes over."""
        screen.chapter("Retrain on history plus live data, and promote")
        self._site.run("retrain", BIKES)
        versions = [v["version"] for v in self._site.ask(f"/models/{BIKES}/versions")]
        screen.check(versions == [1, 2, 3], "the retrained version is number 3")
        rows = self._bikes.wait_for(3, 0, 1)
        screen.check(rows, f"as a challenger it has replayed the {rows} calls of April")
        reason = "version 1 never saw a spring"
        self._site.run("promote", BIKES, "3", "--expect", "1", "--reason", reason)
        self._check_answers(3, self._production.rides[0])

    def rest_of_the_year(self) -> None:
        """The new champion answers, the others follow."""
        screen.chapter("May to December: the new champion answers, the others follow")
        self._production.play(MONTHS[LAST], hours=self._hours_a_call)
        self._production.finish()
        for version in (1, 2, 3):
            self._bikes.wait_for(version, 0, LAST)
        months = [
            (f"{MONTHS[n]:%B}", *(self._mae(v, n, n + 1) for v in (1, 2, 3))) for n in range(LAST)
        ]
        screen.table(("mean error in bikes", "version 1", "version 2", "version 3"), months)
        since_may = {v: self._mae(v, 1, LAST) for v in (1, 2, 3)}
        screen.check(
            since_may[3] < min(since_may[1], since_may[2]),
            "since May version 3 errs less than the others would have",
        )
        self._tell_of_shuttle()

    def year_to_watch(self) -> None:
        """Play at a visible speed, and say what a person may do about what is seen."""
        screen.chapter("The year goes by: April")
        self._production.play(MONTHS[1], hours=1)
        outcome = self._site.run("check", BIKES, "--json", expect=None, quiet=True)
        screen.note("April is over. `tiltyard check bikeshare` says:")
        for reason in outcome.json["reasons"]:
            screen.note(f"  {reason}")
        screen.note("The Monitor shows it too. Retrain there, then To Champion; the year goes on.")
        for month in range(1, LAST):
            screen.chapter(f"The year goes by: {MONTHS[month]:%B}")
            self._production.play(MONTHS[month + 1], hours=1)
        self._production.finish()
        screen.note("The year is over: no more calls come, but all of it can still be looked at.")

    def _tell_of_answer(self, version: int, until: datetime) -> None:
        """Say when another version answers than before."""
        if self._answering not in {None, version}:
            screen.note(f"{until:%d %B, %H} h: version {version} answers now")
        self._answering = version

    def rolling_back(self) -> None:
        """Back to the old champion and forth again, with the ledger whole."""
        screen.chapter("Roll back, and forth")
        last = _later(self._bikes.observations[-1])
        self._site.run("rollback", BIKES, "--reason", "a drill")
        self._check_answers(1, last)
        self._site.run("promote", BIKES, "3", "--reason", "the drill is over")
        self._check_answers(3, last)
        entries = self._site.run("ledger", "show", BIKES, "--json").json
        path = [e["to_version"] for e in entries]
        screen.check(path == [1, 3, 1, 3], f"the ledger tells: {' → '.join(map(str, path))}")
        self._site.run("ledger", "verify")
        screen.check(True, "and nobody has changed it")

    def summary(self) -> None:
        """What happened."""
        screen.chapter("What happened")
        seconds = time.monotonic() - self._started
        screen.note(
            f"In {seconds:.0f} s: 2 models, 5 versions, {self._production.calls:,} predictions, "
            "each on disk before it was answered."
        )

    def _train(self, model: str, version: int, *parameters: str) -> None:
        options = [word for parameter in parameters for word in ("-p", parameter)]
        run = self._site.run("run", "train", model, *options, "--json").json
        screen.check(run["version"] == version, f"{model} version {version} is logged")

    def _token(self, application: str, model: str) -> str:
        issued = self._site.run("token", "create", application, model, "--json").json
        return str(issued["token"])

    def _check_answers(self, version: int, observation: Observation) -> float:
        """Ask once more, aside from what is played; the answer must be of a version."""
        answer = self._production.ask_aside(observation)
        screen.check(answer["version"] == version, f"version {version} answers the next call")
        return float(answer["predictions"][0]["value"])

    def _mae(self, version: int, first: int, last: int) -> float:
        return float(self._bikes.of(version, first, last)["metrics"]["mae"])

    def _tell_of_shuttle(self) -> None:
        metrics: dict[int, dict[str, Any]] = {}
        for version in (1, 2):
            rows = self._shuttle.wait_for(version)
            metrics[version] = self._shuttle.of(version)["metrics"]
        names = ("recall", "precision", "f1")
        screen.table(
            (f"shuttle, {rows:,} readings", *names),
            [(f"version {v}", *(float(m[name]) for name in names)) for v, m in metrics.items()],
        )
        screen.check(metrics[2]["f1"] > metrics[1]["f1"], "the shuttle's challenger does better")


def _later(observation: Observation) -> Observation:
    """Return the same a day after, so that it is none of those that are counted."""
    hour = datetime.fromisoformat(observation.row["hour"]) + timedelta(days=1)
    return Observation({**observation.row, "hour": hour.isoformat()}, observation.actual)


def _curl(site: Site, token: str, observation: Observation) -> str:
    return (
        f"curl -s {site.gateway_url}/models/{BIKES}/predict "
        f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
        f"-d '{json.dumps({'rows': [observation.row]})}'"
    )
