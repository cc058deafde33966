"""Tiltyard's own passwords: who can log in, and who can never make a login."""

import re

import pytest

from support.hub import PASSWORDS
from support.people import PeopledYard

pytestmark = pytest.mark.slow

WRONG = "Invalid username or password"


def test_a_right_password_logs_in(site: PeopledYard) -> None:
    """The person is known to the hub's pages from then on."""
    with site.visitor("sam") as sam:
        home = sam.http.get("/hub/home")
        assert home.status_code == 200
        assert 'user: "sam"' in home.text


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("sam", "train-a-lot-2033"),
        ("sam", ""),
        ("sam", "x" * 500),
        ("SAM ", "train-a-lot-2033"),
        ("nobody", "whatever-it-is-1"),
        ("../sam", "train-a-lot-2032"),
    ],
)
def test_anything_else_is_refused(site: PeopledYard, name: str, password: str) -> None:
    """Wrong, empty, endless passwords and unknown names get the same 403 and no session."""
    with site.visitor() as visitor:
        page = visitor.login(name, password)
        assert page.status_code == 403
        assert WRONG in page.text
        assert visitor.http.get("/hub/home").url.path == "/hub/login"


def test_whoever_comes_first_sets_no_password(site: PeopledYard) -> None:
    """A user who has no password yet cannot log in, so the first try sets none."""
    olga = site.visitor("olga")
    made = olga.call("POST", "/users", json={"usernames": ["newcomer"]})
    assert made.status_code == 201
    try:
        for _ in range(2):
            with site.visitor() as visitor:
                page = visitor.login("newcomer", "first-come-first-served")
                assert page.status_code == 403
                assert WRONG in page.text
    finally:
        assert olga.call("DELETE", "/users/newcomer").status_code == 204
        olga.http.close()


def test_the_login_page_invites_nobody_to_sign_up(site: PeopledYard) -> None:
    """It has a name, a password and nothing about first use."""
    with site.visitor() as visitor:
        page = visitor.http.get("/hub/login")
    assert page.status_code == 200
    assert 'name="password"' in page.text
    assert not re.search(
        r"first.?use|sign.?up|register|choose a password", page.text, re.IGNORECASE
    )


def test_the_first_users_password_is_printed_once_and_works(site: PeopledYard) -> None:
    """It is on the terminal of the first start, and in no file of the home."""
    found = re.search(r"login +(\S+), password (\S+) ", site.printed())
    assert found is not None, site.printed()
    name, password = found.groups()
    assert name == "admin"
    with site.visitor() as visitor:
        page = visitor.login(name, password)
        assert page.status_code == 200
        assert visitor.http.get("/hub/admin").status_code == 200
    files = [path for path in site.home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password.encode() in path.read_bytes()]


def test_one_changes_ones_own_password(site: PeopledYard) -> None:
    """The page for it takes a good password, refuses a weak one, and the old one is over."""
    with site.visitor("vera") as vera:
        page = vera.http.get("/hub/auth/change-password")
        assert page.status_code == 200
        for password, told in (("short", "too short"), ("quite-another-2035", "success")):
            answer = vera.http.post(
                "/hub/auth/change-password",
                data={"password": password, "_xsrf": vera.xsrf(page)},
            )
            assert told in answer.text
    with site.visitor() as visitor:
        assert visitor.login("vera", PASSWORDS["vera"]).status_code == 403
    text = f"{PASSWORDS['vera']}\n"
    assert site.run("user", "password", "vera", "--password-stdin", text=text).returncode == 0
    site.visitor("vera").http.close()


def test_what_the_hub_keeps_is_its_users_alone(site: PeopledYard) -> None:
    """Database, cookie secret, password hashes and tokens are readable by the owner only."""
    for folder in ("hub", "tokens", "users"):
        for path in [site.home / folder, *(site.home / folder).glob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path
