"""People of a real hub at control: their tokens, their tickets, and a hub that is away."""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.control import Control, add_version, deploy, make_home, serve, write_bikes
from support.hub import PASSWORDS, HubSite, Visitor, add_people, wait_for
from tiltyard.client.hub import HubClient
from tiltyard.client.tickets import sign
from tiltyard.client.transport import PREFIX
from tiltyard.control.people import People, Person
from tiltyard.control.prefix import SERVICE_PREFIX
from tiltyard.errors import HubAwayError
from tiltyard.settings import LOOPBACK

pytestmark = pytest.mark.slow

FELT_S = 15
"""In so many seconds control feels what changes at the hub."""

METHODS = {"get", "put", "post", "patch", "delete"}


@dataclass
class Site:
    """A hub with people, and control beside it."""

    hub: HubSite
    control: Control
    _tokens: dict[str, str] = field(default_factory=dict)

    def ticket(self, user: str, lasts_s: float = 60, key: str | None = None) -> str:
        """Return a ticket as the Monitor signs it."""
        key = key or self.hub.token("ticket-key")
        return sign(key.encode(), user, int(time.time() + lasts_s))

    def token(self, name: str) -> str:
        """Return a token of the hub with a person's own rights."""
        if name not in self._tokens:
            with Visitor(self.hub.url) as visitor:
                visitor.login(name, PASSWORDS[name])
                self._tokens[name] = visitor.token(name)
        return self._tokens[name]

    def call(self, token: str | None, method: str, path: str, **request: Any) -> httpx.Response:
        """Return control's answer to a caller."""
        header = {"authorization": f"Bearer {token}"} if token else {}
        return self.control.call(method, path, None, headers=header, **request)

    def me(self, token: str) -> httpx.Response:
        """Ask control who a token belongs to."""
        return self.call(token, "GET", "/me")

    def promote(self, token: str, version: int) -> httpx.Response:
        """Make a version of bikes champion, whoever it is now."""
        champion = self.champion()
        body = {"version": version, "expected_champion": champion, "reason": "test"}
        return self.call(token, "POST", "/models/bikes/promote", json=body)

    def champion(self) -> int | None:
        """Return the champion of bikes."""
        return self.control.client().model("bikes").champion

    def manage(self) -> HubClient:
        """Return a client that may change people, as the command line's."""
        return HubClient(self.hub.api, self.hub.token("hub-cli"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a hub, a control, and bikes with two healthy versions, all of it made by sam."""
    folder = tmp_path_factory.mktemp("people")
    hub = HubSite(folder)
    told = hub.environment
    settings = make_home(
        hub.home,
        hub={"port": told["TILTYARD_HUB__PORT"], "api_port": told["TILTYARD_HUB__API_PORT"]},
        control={"confirm_timeout_s": 0.2},
    )
    with hub, serve(settings, int(told["TILTYARD_CONTROL__PORT"])) as control:
        add_people(hub.api, hub.token("hub-cli"))
        found = Site(hub, control)
        control.tokens["scientist"] = found.token("sam")
        write_bikes(control)
        deploy(
            control, *(add_version(control, folder / str(i), metrics={"rmse": i}) for i in (1, 2))
        )
        yield found


def routes(control: Control) -> list[tuple[str, str]]:
    """Return method and path of every call in the OpenAPI document, but health."""
    paths = control.http.get(f"{PREFIX}/openapi.json").json()["paths"]
    found = [
        (method, re.sub(r"{.*?}", "1", path.removeprefix(PREFIX)))
        for path, calls in paths.items()
        for method in METHODS.intersection(calls)
    ]
    return [route for route in found if route != ("get", "/health")]


def test_a_person_is_known_by_the_hubs_token(site: Site) -> None:
    """Name, role, and groups: teams before role groups."""
    for name, groups, scope in (
        ("vera", ["viewers"], "viewer"),
        ("sam", ["rentals", "scientists"], "scientist"),
        ("pat", ["rentals", "promoters"], "promoter"),
        ("olga", ["operators"], "operator"),
    ):
        expected = {"name": name, "groups": groups, "scopes": [scope], "run": None}
        assert site.me(site.token(name)).json() == expected
        assert site.me(site.ticket(name)).json() == expected


def test_a_model_belongs_to_its_makers_team(site: Site) -> None:
    """Not to a role group, while there is a team."""
    model = site.control.client().model("bikes")
    assert (model.owner_group, model.created_by) == ("rentals", "sam")


@pytest.mark.parametrize("kind", ["none", "unknown", "forged", "cut", "service"])
def test_every_call_refuses_what_is_no_persons(site: Site, kind: str) -> None:
    """401 by each path of the OpenAPI document but health."""
    token = {
        "none": None,
        "unknown": secrets.token_hex(16),
        "forged": site.ticket("olga", key=secrets.token_hex(32)),
        "cut": site.ticket("olga")[:-1],
        "service": site.hub.token("hub-monitor"),
    }[kind]
    calls = routes(site.control)
    assert len(calls) > 35
    for method, path in calls:
        told = (method, path, site.call(token, method, path).status_code)
        assert told == (method, path, 401)


def test_an_old_ticket_is_refused(site: Site) -> None:
    """Its page says that it must be loaded anew."""
    answer = site.me(site.ticket("pat", lasts_s=-1))
    assert answer.status_code == 401
    assert "reload" in answer.json()["error"]["message"]


def test_a_ticket_of_somebody_who_is_gone_is_refused(site: Site) -> None:
    """However well it is signed."""
    for name in ("nobody", "../services/control", "vera/../olga", "vera?x", "Ünal"):
        assert site.me(site.ticket(name)).status_code == 401


def test_who_has_no_role_is_told_which_groups_there_are(site: Site) -> None:
    """A user of the hub who is in no role group may not even look."""
    with site.manage() as hub:
        hub.add("nina")
        hub.join("nina", ["rentals"])
    answer = site.call(site.ticket("nina"), "GET", "/models")
    assert answer.status_code == 403
    assert "tiltyard user groups nina --add viewers" in answer.json()["error"]["message"]


def test_a_token_without_our_scopes_opens_nothing(site: Site) -> None:
    """A token that was narrowed is not believed to be the whole person."""
    with Visitor(site.hub.url) as sam:
        sam.login("sam", PASSWORDS["sam"])
        narrow = {"note": "n", "scopes": ["read:users!user=sam"]}
        token = sam.call("POST", "/users/sam/tokens", json=narrow).json()["token"]
        wide = {"note": "w", "scopes": ["custom:tiltyard:scientist"]}
        assert site.me(token).status_code == 403
        assert "custom:tiltyard:" in site.me(token).json()["error"]["message"]
        token = sam.call("POST", "/users/sam/tokens", json=wide).json()["token"]
    assert site.me(token).json()["scopes"] == ["scientist"]


def test_a_viewer_cannot_promote(site: Site) -> None:
    """Not by token and not by ticket; the sentence names the group that could."""
    before = site.champion()
    for name in ("vera", "sam"):
        for token in (site.token(name), site.ticket(name)):
            answer = site.promote(token, 2)
            assert answer.status_code == 403
            assert "'promoters'" in answer.json()["error"]["message"]
    assert site.champion() == before


def test_who_is_of_another_team_cannot_promote(site: Site) -> None:
    """A promoter has rights on the own teams' models; the sentence names the team."""
    with site.manage() as hub:
        hub.add("otto")
        hub.join("otto", ["promoters", "trains"])
    answer = site.promote(site.ticket("otto"), 1)
    assert answer.status_code == 403
    assert "'rentals'" in answer.json()["error"]["message"]


def test_a_promotion_asks_for_the_groups_anew(site: Site) -> None:
    """Who was a promoter a moment ago is none any more; who is one now, may at once."""
    ticket, token = site.ticket("pat"), site.token("pat")
    assert site.promote(ticket, 1).status_code == 200
    assert site.control.client().ledger("bikes")[-1].who == "pat"
    assert site.me(token).status_code == 200
    with site.manage() as hub:
        hub.leave("pat", ["promoters"])
        try:
            for given in (ticket, token):
                assert site.promote(given, 2).status_code == 403
                body = {"reason": "no"}
                answer = site.call(given, "POST", "/models/bikes/rollback", json=body)
                assert answer.status_code == 403
            assert site.champion() == 1
        finally:
            hub.join("pat", ["promoters"])
    assert site.promote(ticket, 2).status_code == 200
    assert site.promote(token, 1).status_code == 200


def test_what_changes_at_the_hub_is_felt(site: Site) -> None:
    """Within 15 s: groups, a revoked token, and a stream of events that it had opened."""
    with Visitor(site.hub.url) as vera:
        vera.login("vera", PASSWORDS["vera"])
        made = vera.call("POST", "/users/vera/tokens", json={"note": "n"}).json()
        token, ticket = made["token"], site.ticket("vera")
        assert site.me(ticket).json()["scopes"] == site.me(token).json()["scopes"] == ["viewer"]
        header = {"authorization": f"Bearer {token}"}
        with site.control.http.stream("GET", f"{PREFIX}/events", headers=header) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": connected"
            reader = threading.Thread(target=lambda: list(lines), daemon=True)
            reader.start()
            with site.manage() as hub:
                hub.join("vera", ["promoters"])
            vera.call("DELETE", f"/users/vera/tokens/{made['id']}").raise_for_status()
            until = time.monotonic() + FELT_S
            try:
                within(until, lambda: "promoter" in site.me(ticket).json()["scopes"])
                within(until, lambda: site.me(token).status_code == 401)
                within(until, lambda: not reader.is_alive())
            finally:
                with site.manage() as hub:
                    hub.leave("vera", ["promoters"])


def within(until: float, condition: Callable[[], bool]) -> None:
    """Wait until something holds, or fail."""
    wait_for(condition, until - time.monotonic())


def test_a_run_acts_as_who_asked_for_it(site: Site) -> None:
    """The notebook of a new model makes it for the team of who asked, not of who runs it."""
    request = {"kind": "train", "pipeline": "trams"}
    asked = site.call(site.ticket("sam"), "POST", "/runs", json=request).json()
    assert asked["requested_by"] == "sam"
    claimed = site.control.client("runner").claim_run("r", 30)
    assert claimed is not None
    _, token = claimed
    told = site.me(token).json()
    assert (told["name"], told["groups"]) == ("sam", ["rentals", "scientists"])
    columns = [{"name": "rain", "type": "float64"}]
    schema = {"columns": columns, "target": "riders", "target_type": "int64"}
    body = {"task": "regression", "call_schema": schema}
    made = site.call(token, "PUT", "/models/trams", json=body).json()
    assert (made["owner_group"], made["created_by"]) == ("rentals", "sam")
    assert site.promote(token, 1).status_code == 403


def test_a_run_of_a_model_has_rights_on_that_model_only(site: Site) -> None:
    """An operator's too, who has rights on all."""
    request = {"kind": "train", "pipeline": "bikes"}
    site.call(site.ticket("olga"), "POST", "/runs", json=request).raise_for_status()
    claimed = site.control.client("runner").claim_run("r", 30)
    assert claimed is not None
    assert site.me(claimed[1]).json()["groups"] == ["rentals"]


def test_control_answers_below_its_prefix(site: Site) -> None:
    """Directly and through the hub's proxy, with the same rights."""
    header = {"authorization": f"Bearer {site.ticket('vera')}"}
    for url in (site.control.url, site.hub.url):
        path = f"{url}{SERVICE_PREFIX}{PREFIX}"
        wait_for(lambda: httpx.get(f"{path}/health").is_success, 20, site.hub.logs)  # noqa: B023  called now
        assert httpx.get(f"{path}/me", headers=header).json()["name"] == "vera"
        assert httpx.get(f"{path}/me").status_code == 401
        body = {"version": 2, "expected_champion": 1, "reason": "x"}
        answer = httpx.post(f"{path}/models/bikes/promote", headers=header, json=body)
        assert answer.status_code == 403
    assert httpx.get(f"{site.control.url}{SERVICE_PREFIX}x{PREFIX}/me").status_code == 404


def test_a_hub_that_is_away_stops_people_only(site: Site) -> None:
    """503 for them, nothing is changed, local tokens go on; a hub that is back is found."""
    ticket, token = site.ticket("pat"), site.token("pat")
    assert site.me(ticket).status_code == site.me(token).status_code == 200
    before = site.champion()
    site.hub.kill()
    try:
        assert site.me(ticket).status_code == 200  # believed for a while
        for given in (ticket, token):
            for version in (1, 2):
                answer = site.promote(given, version)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "hub_away")
            answer = site.call(given, "POST", "/models/bikes/rollback", json={"reason": "no"})
            assert answer.status_code == 503
        assert site.champion() == before
        assert site.me(secrets.token_hex(16)).status_code == 503
        assert site.me(site.ticket("pat", key=secrets.token_hex(32))).status_code == 401
        local = site.control.tokens["promoter"]
        assert site.me(local).status_code == 200
        assert site.promote(site.control.tokens["operator"], 2).status_code == 200
    finally:
        site.hub.restart()
    wait_for(lambda: site.me(site.ticket("sam")).status_code == 200, FELT_S)
    assert site.promote(ticket, 1).status_code == 200


def test_a_ticket_needs_its_key(site: Site) -> None:
    """A key that is missing or cut is told, and signs nothing."""
    path = site.hub.home / "tokens" / "ticket-key"
    kept = path.read_bytes()
    try:
        for text in (b"", b"short"):
            path.write_bytes(text)
            answer = site.me(site.ticket("olga", key=text.decode() or "x"))
            assert (answer.status_code, "damaged" in answer.text) == (503, True)
        path.unlink()
        answer = site.me(site.ticket("olga", key="x"))
        assert (answer.status_code, "tiltyard up" in answer.text) == (503, True)
    finally:
        path.write_bytes(kept)


def test_a_hub_that_does_not_know_control_is_told(site: Site) -> None:
    """Not taken for a hub that has no such user."""
    path = site.hub.home / "tokens" / "hub-control"
    kept = path.read_bytes()
    path.write_text(secrets.token_urlsafe(32))
    try:
        answer = site.me(site.ticket("new"))
    finally:
        path.write_bytes(kept)
    assert (answer.status_code, "control's token" in answer.text) == (503, True)


def test_a_silent_hub_is_asked_once(tmp_path: Path) -> None:
    """While it does not answer, callers are told at once instead of waiting one by one."""
    with socket.create_server((LOOPBACK, 0), backlog=100) as silent:
        people = People(f"http://{LOOPBACK}:{silent.getsockname()[1]}", lambda: "x")
        for _ in range(20):
            with pytest.raises(HubAwayError):
                people.of_token(secrets.token_hex(8))
        people.close()
        silent.settimeout(0.2)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()


@pytest.mark.parametrize("status", [200, 302, 429, 500, 503])
def test_what_is_no_hub_is_no_hub(status: int) -> None:
    """Another program on the hub's port, or a hub that is starting, knows nobody."""
    with other_program(status, b"<html>") as (url, _):
        people = People(url, lambda: "x")
        with pytest.raises(HubAwayError):
            people.of_token("t")
        people.close()


def test_no_cookie_is_kept() -> None:
    """Whatever the hub sets, the next person's question carries nothing of this one's."""
    with other_program(200, b'{"kind": "user", "name": "ann"}') as (url, seen):
        people = People(url, lambda: "x")
        for token in ("one", "two"):
            assert people.of_token(token) == Person("user", "ann")
        people.close()
    assert [headers["authorization"] for headers in seen] == ["token one", "token two"]
    assert [headers["cookie"] for headers in seen] == [None, None]


@contextmanager
def other_program(status: int, body: bytes) -> Iterator[tuple[str, list[Message]]]:
    """Serve one answer, with a cookie, to every GET; give its URL and the heads that came."""
    seen: list[Message] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers)
            self.send_response(status)
            self.send_header("set-cookie", "login=ann; Path=/")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer((LOOPBACK, 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}", seen
        server.shutdown()
