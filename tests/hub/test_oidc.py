"""Login by an OpenID Connect provider: a real one, npm's oidc-provider."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.hub import HubSite, Visitor, free_port, wait_for

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).with_name("oidc")
FILES = ("package.json", "package-lock.json", "provider.js")
_ACTION = re.compile(r'<form[^>]* action="([^"]+)"')


class Company:
    """The provider's process, and the accounts that it knows."""

    def __init__(self, folder: Path, redirect: str) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._accounts = folder / "accounts.json"
        self._folder = folder
        self._redirect = redirect
        self._process: subprocess.Popen[str] | None = None

    def know(self, **groups: list[str]) -> None:
        """Replace the accounts."""
        temporary = self._accounts.with_suffix(".new")
        temporary.write_text(json.dumps(groups))
        temporary.replace(self._accounts)

    def start(self) -> None:
        """Start the provider and wait until it listens."""
        node = ["setpriv", "--pdeathsig", "KILL", "node", "provider.js"]
        with (self._folder / "provider.log").open("w") as log:
            self._process = subprocess.Popen(
                [*node, str(self.port), self._redirect, str(self._accounts)],
                cwd=self._folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", self.logs()

    def stop(self) -> None:
        """End the provider."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def logs(self) -> str:
        """Return what the provider wrote."""
        return (self._folder / "provider.log").read_text()


@pytest.fixture(scope="module")
def company_and_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Company, HubSite]]:
    """Give a provider and a hub that trusts it."""
    folder = tmp_path_factory.mktemp("oidc")
    for name in FILES:
        shutil.copy(SOURCE / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    hub = HubSite(folder, TILTYARD_HUB__AUTHENTICATOR="oidc", TILTYARD_HUB__REFRESH_S="1")
    company = Company(folder, f"{hub.url}/hub/oauth_callback")
    company.know(ann=["data-science", "rentals"], stranger=["football"])
    (folder / "secret").write_text("a secret of the test's\n")
    (folder / "tiltyard.toml").write_text(
        f'[hub]\nscientists = "data-science"\n'
        f'[oidc]\nissuer = "{company.issuer}"\nclient_id = "tiltyard"\n'
        f'client_secret_file = "{folder / "secret"}"\nscope = "openid profile groups"\n'
        'label = "the company"\n'
    )
    company.start()
    try:
        with hub:
            yield company, hub
    finally:
        company.stop()


def log_in(visitor: Visitor, name: str) -> httpx.Response:
    """Follow the login button and the provider's two pages, as a browser does."""
    page = visitor.http.get("/hub/oauth_login")
    assert "/interaction/" in str(page.url), page.text
    page = visitor.http.post(
        _ACTION.findall(page.text)[0], data={"prompt": "login", "login": name, "password": "x"}
    )
    return visitor.http.post(_ACTION.findall(page.text)[0], data={"prompt": "consent"})


def test_the_login_page_leads_to_the_company(company_and_hub: tuple[Company, HubSite]) -> None:
    """It has a button with the setting's label and no password field."""
    _, hub = company_and_hub
    with Visitor(hub.url) as visitor:
        page = visitor.http.get("/hub/login")
    assert "Sign in with the company" in page.text
    assert 'name="password"' not in page.text


def test_the_claims_groups_are_the_hubs(company_and_hub: tuple[Company, HubSite]) -> None:
    """A login gives role and teams; a change at the company is felt at the next look."""
    company, hub = company_and_hub
    with Visitor(hub.url) as ann:
        log_in(ann, "ann")
        assert ann.http.get("/hub/home").status_code == 200
        assert hub.user("ann")["groups"] == ["data-science", "rentals"]
        token = {"authorization": f"token {ann.token('ann')}"}

        company.know(ann=["promoters"], stranger=["football"])
        wait_for(lambda: hub.user("ann")["groups"] == ["promoters"], 30, hub.logs)
        user = httpx.get(f"{hub.api}/user", headers=token, trust_env=False).json()
        assert "custom:tiltyard:promoter" in user["scopes"]
        assert "custom:tiltyard:scientist" not in user["scopes"]

        company.stop()  # what it said last is believed while it is away
        assert hub.user("ann")["groups"] == ["promoters"]
        company.start()


def test_who_leaves_the_company_has_no_role(company_and_hub: tuple[Company, HubSite]) -> None:
    """Tokens of one whom the provider knows no more give no right any more."""
    company, hub = company_and_hub
    company.know(ann=["promoters"], leaver=["promoters"], stranger=["football"])
    with Visitor(hub.url) as leaver:
        log_in(leaver, "leaver")
        token = {"authorization": f"token {leaver.token('leaver')}"}
        company.know(ann=["promoters"], stranger=["football"])
        wait_for(lambda: hub.user("leaver")["groups"] == [], 30, hub.logs)
        user = httpx.get(f"{hub.api}/user", headers=token, trust_env=False).json()
        assert not [scope for scope in user["scopes"] if scope.startswith("custom:")]
        wait_for(lambda: leaver.http.get("/hub/home").url.path == "/hub/login", 30, hub.logs)


def test_a_stranger_is_told_which_groups_count(company_and_hub: tuple[Company, HubSite]) -> None:
    """A right login without any role is a 403 that says what is missing; no user is made."""
    _, hub = company_and_hub
    with Visitor(hub.url) as visitor:
        page = log_in(visitor, "stranger")
    assert page.status_code == 403
    assert "data-science" in page.text
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        hub.user("stranger")


def test_people_are_the_companys_to_change(company_and_hub: tuple[Company, HubSite]) -> None:
    """`tiltyard user` says so, and the hub's own call for passwords too."""
    _, hub = company_and_hub
    for words in (["add", "bob"], ["password", "ann"], ["groups", "ann", "--add", "operators"]):
        done = hub.run("user", *words)
        assert done.returncode == 3
        assert "kept by the site" in done.stderr
    answer = httpx.put(
        f"{hub.api}/tiltyard/users/ann/password",
        headers={"authorization": f"token {hub.token('hub-cli')}"},
        json={"password": "whatever-it-is-1"},
        trust_env=False,
    )
    assert answer.status_code == 409
