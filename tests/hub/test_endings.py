"""What ends with `tiltyard up`, and what outlives a restart of the hub."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.hub import wait_for
from support.lab import Lab
from support.people import PeopledYard
from tiltyard.deployers.groups import Groups, members, read_groups

pytestmark = pytest.mark.slow

PID = "import os; print(os.getpid())"


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[PeopledYard]:
    """Give a Tiltyard of one's own, with a user of each role."""
    yard = PeopledYard(tmp_path)
    try:
        yard.start()
        yard.add_people()
        yield yard
    finally:
        yard.stop()


def test_a_life_with_servers(own_site: PeopledYard) -> None:
    """Hub and proxy are killed, the server runs on; Ctrl-C ends all; so does kill -9."""
    site = own_site
    with site.visitor("sam") as sam:
        lab = Lab(sam, site.start_server(sam, "sam"))
        kernel = lab.kernel()
        pid = int(lab.run(kernel, PID))

        [hub] = [p for p in site.processes("hub") if "tiltyard.hub" in p.cmdline()]
        hub.kill()
        # The proxy leads to the server while the hub is away, and the kernel is the same one.
        assert int(lab.run(kernel, PID)) == pid
        wait_for(lambda: _answers(f"{site.url}/hub/health"), 60, site.logs)
        assert sam.call("GET", "/users/sam").json()["server"] == "/user/sam/"
        assert int(lab.run(kernel, PID)) == pid

        [proxy] = [p for p in site.processes("proxy") if "configurable" in p.cmdline()[1]]
        proxy.kill()
        wait_for(lambda: _answers(f"{site.url}/user/sam/api"), 60, site.logs)
        assert int(lab.run(kernel, PID)) == pid

        mark = _mark(site)
        assert pid in members(mark)
        began = time.monotonic()
        os.kill(site.pid, signal.SIGINT)
        wait_for(lambda: not members(mark), 20, site.logs)
        assert time.monotonic() - began < 10
        site.stop()

    site.start()
    people = {p["name"]: p for p in json.loads(site.run("user", "list", "--json").stdout)}
    assert people.keys() == {"admin", "vera", "sam", "pat", "olga"}
    assert not people["sam"]["server"]
    assert site.printed().count("shown this once") == 1

    with site.visitor("sam") as sam:
        lab = Lab(sam, site.start_server(sam, "sam"))
        pid = int(lab.run(lab.kernel(), PID))
        mark = _mark(site)
        assert pid in members(mark)
        os.kill(site.pid, signal.SIGKILL)
        wait_for(lambda: not members(mark), 20, site.logs)


def test_a_hub_that_is_away_is_said(tmp_path: Path) -> None:
    """The command line exits 5, with one sentence."""
    site = PeopledYard(tmp_path)
    assert site.run("init").returncode == 0
    (site.home / "tokens" / "hub-cli").write_text("x\n")
    for words in (["list"], ["add", "ann"], ["groups", "ann"], ["remove", "ann"]):
        done = site.run("user", *words)
        assert done.returncode == 5, done.stderr
        assert "Is `tiltyard up` running" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_without_a_hub_there_are_no_users(tmp_path: Path) -> None:
    """The sentence names the setting."""
    site = PeopledYard(tmp_path, TILTYARD_HUB__ENABLED="false")
    done = site.run("user", "list")
    assert done.returncode == 3
    assert "hub.enabled" in done.stderr


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _mark(site: PeopledYard) -> Groups:
    groups = read_groups(site.home / "up.groups")
    assert groups is not None
    return groups
