"""Role groups, the hub's scopes, and what each role may do at the hub."""

import pytest

from support.hub import GROUPS
from support.people import PeopledYard

pytestmark = pytest.mark.slow

ROLES = {"vera": "viewer", "sam": "scientist", "pat": "promoter", "olga": "operator"}
PREFIX = "custom:tiltyard:"


@pytest.mark.parametrize(("name", "role"), ROLES.items())
def test_a_role_group_gives_its_scope(site: PeopledYard, name: str, role: str) -> None:
    """A user's token shows at the hub the scope of the role, no other's, and the groups."""
    with site.visitor(name) as visitor:
        user = site.hub_user(visitor.token(name))
    assert [s for s in user["scopes"] if s.startswith(PREFIX)] == [PREFIX + role]
    assert sorted(user["groups"]) == sorted(GROUPS[name])


@pytest.mark.parametrize(
    ("name", "page"),
    [("vera", "/services/monitor/"), ("pat", "/services/monitor/"), ("olga", "/hub/home")],
)
def test_one_lands_on_the_page_of_ones_role(site: PeopledYard, name: str, page: str) -> None:
    """Who judges comes to the Monitor, an operator to the hub's home."""
    with site.visitor(name) as visitor:
        visitor.http.follow_redirects = False
        assert visitor.http.get("/hub/").headers["location"] == page


def test_a_scientist_lands_on_the_own_server(site: PeopledYard) -> None:
    """The login leads to the start of JupyterLab, or to one that runs."""
    with site.visitor("sam") as visitor:
        visitor.http.follow_redirects = False
        place = visitor.http.get("/hub/").headers["location"]
    assert place in {"/hub/spawn", "/user/sam/"}


def test_a_viewer_starts_no_server(site: PeopledYard) -> None:
    """Not by the page, not by the form, not by the API with session or token; no button."""
    with site.visitor("vera") as vera:
        home = vera.http.get("/hub/home")
        assert 'id="start"' not in home.text
        assert "/services/monitor/" in home.text
        for path in ("/hub/spawn", "/hub/spawn/vera", "/hub/spawn/sam"):
            assert vera.http.get(path).status_code in {403, 404}
            form = vera.http.post(path, data={"_xsrf": vera.xsrf(home)})
            assert form.status_code in {403, 404}
        assert vera.call("POST", "/users/vera/server").status_code == 403
        assert vera.call("POST", "/users/vera/servers/more").status_code == 403
        token = {"authorization": f"token {vera.token('vera')}"}
        answer = vera.http.post("/hub/api/users/vera/server", headers=token)
        assert answer.status_code == 403
    with site.visitor("olga") as olga:
        assert olga.call("GET", "/users/vera").json()["server"] is None


def test_who_has_no_role_is_told_where_one_comes_from(site: PeopledYard) -> None:
    """Such a person may log in, look at nothing, and reads whom to ask."""
    text = "no-role-at-all-1\n"
    assert site.run("user", "add", "noel", "--password-stdin", text=text).returncode == 0
    with site.visitor() as visitor:
        page = visitor.login("noel", text.strip())
        assert "You have no role yet" in page.text
        assert site.hub_user(visitor.token("noel"))["groups"] == []
        assert visitor.call("POST", "/users/noel/server").status_code == 403
    assert site.run("user", "remove", "noel").returncode == 0


def test_a_change_of_groups_is_there_at_once(site: PeopledYard) -> None:
    """A token that exists gains and loses the role with the group."""
    with site.visitor("vera") as vera:
        token = vera.token("vera")
    try:
        done = site.run("user", "groups", "vera", "--add", "promoters")
        assert done.returncode == 0, done.stderr
        assert f"{PREFIX}promoter" in site.hub_user(token)["scopes"]
    finally:
        done = site.run("user", "groups", "vera", "--remove", "promoters")
    assert done.returncode == 0, done.stderr
    assert f"{PREFIX}promoter" not in site.hub_user(token)["scopes"]
    assert site.hub_user(token)["groups"] == ["viewers"]


@pytest.mark.parametrize("name", ["vera", "sam", "pat"])
def test_only_an_operator_manages_people(site: PeopledYard, name: str) -> None:
    """All others change neither groups nor passwords nor users, their own included."""
    with site.visitor(name) as visitor:
        refused = [
            visitor.call("POST", "/groups/operators/users", json={"users": [name]}),
            visitor.call("PUT", f"/tiltyard/users/{name}/password", json={"password": "x" * 12}),
            visitor.call("PUT", "/tiltyard/users/olga/password", json={"password": "x" * 12}),
            visitor.call("POST", "/users", json={"usernames": ["friend"]}),
            visitor.call("DELETE", "/users/olga"),
        ]
        assert {answer.status_code for answer in refused} <= {403, 404}
        assert visitor.http.get("/hub/admin").status_code == 403


def test_an_operator_reads_no_ones_notebooks(site: PeopledYard) -> None:
    """Managing people and their servers is not entering them, nor holding their tokens."""
    with site.visitor("olga") as olga:
        assert olga.http.get("/hub/admin").status_code == 200
        scopes = site.hub_user(olga.token("olga"))["scopes"]
        made = olga.call("POST", "/users/sam/tokens", json={})
    assert "access:servers" not in scopes
    assert made.status_code in {403, 404}


def test_the_services_may_no_more_than_they_need(site: PeopledYard) -> None:
    """Control reads people and groups; the Monitor's own token reads nobody."""
    tokens = site.home / "tokens"
    control = site.hub_user((tokens / "hub-control").read_text().strip())
    monitor = site.hub_user((tokens / "hub-monitor").read_text().strip())
    assert {scope.partition("!")[0] for scope in control["scopes"]} <= {
        *("list:users", "read:users:name", "read:users:groups"),
        *("read:services:name", "access:services"),
    }
    assert not [scope for scope in monitor["scopes"] if "users" in scope]
