"""`tiltyard user`."""

import json
import re

import pytest

from support.hub import GROUPS, PASSWORDS
from support.people import PeopledYard

pytestmark = pytest.mark.slow


def test_a_made_up_password_is_printed_once_and_works(site: PeopledYard) -> None:
    """Add, log in, set another, remove: each step is felt at the login."""
    added = site.run("user", "add", "ann", "--group", "scientists", "--group", "rentals")
    assert added.returncode == 0, added.stderr
    first = re.findall(r"shown this once: (\S+)", added.stdout)
    assert len(first) == 1
    try:
        with site.visitor() as visitor:
            visitor.http.follow_redirects = False
            assert visitor.login("ann", first[0]).status_code == 302
        again = site.run("user", "password", "ann")
        second = re.findall(r"shown this once: (\S+)", again.stdout)
        assert second != first
        with site.visitor() as visitor:
            assert visitor.login("ann", first[0]).status_code == 403
            visitor.http.follow_redirects = False
            assert visitor.login("ann", second[0]).status_code == 302
    finally:
        assert site.run("user", "remove", "ann").returncode == 0
    with site.visitor() as visitor:
        assert visitor.login("ann", second[0]).status_code == 403


def test_the_list_shows_groups(site: PeopledYard) -> None:
    """As a table and as JSON."""
    people = {p["name"]: p for p in json.loads(site.run("user", "list", "--json").stdout)}
    for name, groups in GROUPS.items():
        assert people[name]["groups"] == sorted(groups)
    line = next(x for x in site.run("user", "list").stdout.splitlines() if x.startswith("sam"))
    assert "scientist" in line
    assert "rentals" in line


@pytest.mark.parametrize(
    ("words", "text", "exit_code", "told"),
    [
        (["add", "sam"], None, 3, "There is a user 'sam' already"),
        (["add", "Ann Miller"], None, 2, "cannot be a user's name"),
        (["add", ".."], None, 2, "cannot be a user's name"),
        (["add", "ann%2f..%2f.."], None, 2, "cannot be a user's name"),
        (["add", "a" * 64], None, 2, "cannot be a user's name"),
        (["add", "ann", "--password-stdin"], "short\n", 2, "at least 10"),
        (["add", "ann", "--password-stdin"], "aaaaaaaaaaaa\n", 2, "easily guessed"),
        (["add", "ann", "--password-stdin"], "ann-Ann-1234\n", 2, "easily guessed"),
        (["add", "ann", "--password-stdin"], "x1y2" * 20, 2, "at most 72"),
        (["add", "ann", "--password-stdin"], "", 2, "no password on standard input"),
        (["password", "nobody"], None, 3, "There is no user 'nobody'"),
        (["groups", "nobody", "--add", "viewers"], None, 3, "There is no user 'nobody'"),
        (["groups", "sam", "--remove", "absent"], None, 3, "There is no group 'absent'"),
        (["remove", "nobody"], None, 3, "There is no user 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(
    site: PeopledYard, words: list[str], text: str | None, exit_code: int, told: str
) -> None:
    """One sentence, the exit code of its kind, and nobody half made."""
    done = site.run("user", *words, text=text)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    people = {p["name"] for p in json.loads(site.run("user", "list", "--json").stdout)}
    assert people == {"admin", *PASSWORDS}


def test_groups_are_shown_and_changed(site: PeopledYard) -> None:
    """A team that is new is made; what is there already stays."""
    added = site.run("user", "groups", "sam", "--add", "risk", "--add", "rentals")
    assert added.stdout.strip() == "sam: rentals, risk, scientists"
    removed = site.run("user", "groups", "sam", "--remove", "risk")
    assert removed.stdout.strip() == "sam: rentals, scientists"
    assert site.run("user", "groups", "sam").stdout == removed.stdout


def test_doctor_finds_hub_proxy_and_monitor(site: PeopledYard) -> None:
    """All three answer where `tiltyard up` runs."""
    found = {f["check"]: f for f in json.loads(site.run("doctor", "--json").stdout)}
    for check in ("hub", "proxy", "monitor", "hub's proxy"):
        assert found[check]["ok"], found[check]


def test_passwords_are_in_no_log_and_no_command_line(site: PeopledYard) -> None:
    """What was set so far is nowhere in the logs."""
    logs = "".join(path.read_text() for path in (site.home / "logs").rglob("*.log"))
    assert "PUT /hub/api/tiltyard/users/sam/password" in logs
    assert not [name for name, password in PASSWORDS.items() if password in logs]
