"""People at control, as `tiltyard up` wires it."""

import time

import httpx
import pytest

from support.hub import GROUPS
from support.people import PeopledYard
from tiltyard.client.tickets import KEY_FILE, sign

pytestmark = pytest.mark.slow


def test_control_knows_people_through_the_hubs_proxy(site: PeopledYard) -> None:
    """By a token of the hub and by a ticket; who has neither is nobody."""
    with site.visitor("pat") as pat:
        token = pat.token("pat")
    key = (site.home / "tokens" / KEY_FILE).read_text().strip()
    ticket = sign(key.encode(), "pat", int(time.time()) + 60)
    for given in (token, ticket):
        told = ask(site, given).json()
        assert (told["name"], told["scopes"]) == ("pat", ["promoter"])
        assert sorted(told["groups"]) == sorted(GROUPS["pat"])
    assert ask(site, ticket[:-2]).status_code == 401
    assert ask(site, "nobody's").status_code == 401


def ask(site: PeopledYard, token: str) -> httpx.Response:
    """Ask control who a token belongs to."""
    headers = {"authorization": f"Bearer {token}"}
    url = f"{site.url}/services/control/api/v1/me"
    return httpx.get(url, headers=headers, timeout=20, trust_env=False)
