"""Login by the machine's accounts, with accounts that are made and removed here."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import HubSite, Visitor, wait_for

pytestmark = pytest.mark.slow

NAME = f"tiltyard-test-{os.getpid() % 100_000}"
GROUP = f"tytest{os.getpid() % 100_000}"
PASSWORD = "of the machine's account"


def system(*command: str, text: str = "") -> None:
    """Run a program of the system to its good end."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    environment = {**os.environ, "PATH": path}
    subprocess.run(command, input=text, text=True, check=True, env=environment)


@pytest.fixture(scope="module")
def account() -> Iterator[str]:
    """Give an account of this machine in a group of its own."""
    if os.getuid() != 0:
        pytest.fail("PAM is tested with an account that root makes: run the tests as root.")
    system("groupadd", GROUP)
    try:
        system("useradd", "--no-create-home", "--shell", "/bin/false", "--groups", GROUP, NAME)
        system("chpasswd", text=f"{NAME}:{PASSWORD}\n")
        yield NAME
    finally:
        subprocess.run(["userdel", NAME], check=False)
        subprocess.run(["groupdel", GROUP], check=False)


@pytest.fixture(scope="module")
def hub(account: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSite]:
    """Give a hub on which the account's group are the scientists."""
    folder: Path = tmp_path_factory.mktemp("pam")
    with HubSite(
        folder,
        TILTYARD_HUB__AUTHENTICATOR="pam",
        TILTYARD_HUB__SCIENTISTS=GROUP,
        TILTYARD_HUB__REFRESH_S="1",
    ) as site:
        yield site


def test_a_wrong_password_is_refused(hub: HubSite, account: str) -> None:
    """As is an account that there is not."""
    for name, password in ((account, "wrong"), ("no-such-account", PASSWORD)):
        with Visitor(hub.url) as visitor:
            assert visitor.login(name, password).status_code == 403


def test_the_machines_groups_are_the_hubs(hub: HubSite, account: str) -> None:
    """A login gives the group's role; leaving the group takes it away at the next look."""
    with Visitor(hub.url) as visitor:
        visitor.http.follow_redirects = False
        assert visitor.login(account, PASSWORD).status_code == 302
        visitor.http.follow_redirects = True
        assert visitor.http.get("/hub/home").status_code == 200
        assert GROUP in hub.user(account)["groups"]
        system("gpasswd", "--delete", account, GROUP)
        wait_for(lambda: GROUP not in hub.user(account)["groups"], 30, hub.logs)
        assert visitor.call("POST", f"/users/{account}/server").status_code == 403
    with Visitor(hub.url) as visitor:
        page = visitor.login(account, PASSWORD)
        assert page.status_code == 403
        assert "gives it no role" in page.text
