"""People's servers: a JupyterLab in the user's own folder, which acts as the user."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import wait_for
from support.lab import Lab
from support.people import PeopledYard
from tiltyard.hub.folders import prepare_folder

NOTIFICATION = "@jupyterlab/apputils-extension:notification"
PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture(scope="module")
def lab(site: PeopledYard) -> Iterator[Lab]:
    """Give sam's server."""
    with site.visitor("sam") as sam:
        yield Lab(sam, site.start_server(sam, "sam"))


@pytest.mark.slow
def test_jupyterlab_asks_nothing_of_the_internet(lab: Lab) -> None:
    """Its page has news, updates and the extension manager's catalogue turned off."""
    assert lab.page.status_code == 200
    script = lab.page.text.split('id="jupyter-config-data"')[1].split(">", 1)[1]
    config = json.loads(script.split("</script>")[0])
    assert config["exposeAppInBrowser"] is False
    assert config["news"]["disabled"] is True
    assert config["extensionManager"]["can_install"] is False
    settings = lab.http.get(f"{lab.base}/lab/api/settings/{NOTIFICATION}").json()
    properties = settings["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false"
    assert properties["checkForUpdates"]["default"] is False


@pytest.mark.slow
def test_the_pipelines_are_at_hand_as_ones_own(site: PeopledYard, lab: Lab) -> None:
    """The training notebook is a copy that one edits; the installation's stays as it was."""
    path = "/contents/pipelines/bikeshare/train.ipynb"
    notebook = lab.call("GET", path)["content"]
    notebook["cells"].append(
        {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "my own words"}
    )
    lab.call("PUT", path, json={"type": "notebook", "content": notebook})
    own = site.home / "users" / "sam" / "pipelines" / "bikeshare" / "train.ipynb"
    assert "my own words" in own.read_text()
    assert "my own words" not in (PIPELINES / "bikeshare" / "train.ipynb").read_text()


@pytest.mark.slow
def test_a_notebook_acts_as_its_user(site: PeopledYard, lab: Lab) -> None:
    """Tiltyard is importable, its client has control's URL and a token that is the user's."""
    code = """
import os, json
from tiltyard.settings import load_settings
import features
s = load_settings()
keep = [n for n in os.environ if n.startswith(("TILTYARD_", "CONFIGPROXY", "JUPYTERHUB_CRYPT"))]
print(json.dumps({"url": s.control_url, "token": s.client.token, "lake": s.lake_url,
                  "names": sorted(keep), "cwd": os.getcwd(), "mark": os.environ["TILTYARD_UP"]}))
"""
    kernel = lab.kernel("pipelines/bikeshare/train.ipynb")
    told = json.loads(lab.run(kernel, code))
    assert told["url"] == site.control_url
    assert told["lake"] == f"sqlite:///{site.home / 'lake.db'}"
    assert told["cwd"] == str(site.home / "users" / "sam" / "pipelines" / "bikeshare")
    assert told["names"] == [
        "TILTYARD_CLIENT__GATEWAY_URL",
        "TILTYARD_CLIENT__TOKEN",
        "TILTYARD_CLIENT__URL",
        "TILTYARD_LAKE__URL",
        "TILTYARD_PIPELINES__PATH",
        "TILTYARD_UP",
    ]
    assert told["mark"].split(".")[1] == "server-sam"
    user = site.hub_user(told["token"])
    assert user["name"] == "sam"
    assert "custom:tiltyard:scientist" in user["scopes"]
    assert not [s for s in user["scopes"] if s.startswith(("servers", "tokens", "admin"))]


@pytest.mark.slow
def test_a_notebook_calls_control_as_its_user(lab: Lab) -> None:
    """Control knows who calls, in which role and groups, and answers what that role may read."""
    code = """
import json, tiltyard
from tiltyard.client.connect import connect
with connect() as client:
    me = client.me()
print(json.dumps({"me": [me.name, sorted(me.groups), list(me.scopes)],
                  "models": len(tiltyard.models())}))
"""
    told = json.loads(lab.run(lab.kernel(), code))
    assert told["me"][:2] == ["sam", ["rentals", "scientists"]]
    assert "scientist" in told["me"][2]
    assert "promoter" not in told["me"][2]
    assert told["models"] == 0


@pytest.mark.slow
def test_a_running_servers_token_follows_the_groups(site: PeopledYard, lab: Lab) -> None:
    """A role that its owner gets or loses counts for it at once, without a new start."""
    code = "import os; print(os.environ['TILTYARD_CLIENT__TOKEN'])"
    token = lab.run(lab.kernel(), code).strip()
    try:
        site.run("user", "groups", "sam", "--add", "promoters", "--remove", "scientists")
        scopes = site.hub_user(token)["scopes"]
        assert "custom:tiltyard:promoter" in scopes
        assert "custom:tiltyard:scientist" not in scopes
    finally:
        site.run("user", "groups", "sam", "--add", "scientists", "--remove", "promoters")
    assert "custom:tiltyard:promoter" not in site.hub_user(token)["scopes"]


@pytest.mark.slow
def test_who_is_no_scientist_any_more_is_shut_out(site: PeopledYard, lab: Lab) -> None:
    """Of the own server, too, within seconds; it is there again with the role."""
    page = f"{lab.base}/api/contents"
    try:
        site.run("user", "groups", "sam", "--remove", "scientists")
        wait_for(lambda: lab.http.get(page).status_code == 403, 30, site.logs)
    finally:
        site.run("user", "groups", "sam", "--add", "scientists")
    wait_for(lambda: lab.http.get(page).status_code == 200, 30, site.logs)


@pytest.mark.slow
def test_nobody_enters_anothers_server(site: PeopledYard, lab: Lab) -> None:
    """Neither another scientist's level of role nor an operator."""
    for name in ("pat", "olga", "vera"):
        with site.visitor(name) as visitor:
            assert visitor.http.get(f"{lab.base}/api/contents").status_code == 403


def test_pipelines_are_copied_once(tmp_path: Path) -> None:
    """What a user has changed stays; what is new comes; a half copy is made again."""
    source, user = tmp_path / "source", tmp_path / "user"
    (source / "one" / "__pycache__").mkdir(parents=True)
    (source / "one" / "train.ipynb").write_text("theirs")
    prepare_folder(user, source)
    own = user / "pipelines"
    assert not (own / "one" / "__pycache__").exists()
    (own / "one" / "train.ipynb").write_text("mine")
    (source / "one" / "train.ipynb").write_text("theirs, newer")
    (source / "two").mkdir()
    (source / "two" / "a.py").write_text("x = 1")
    (own / ".two.new").mkdir()
    prepare_folder(user, source)
    assert (own / "one" / "train.ipynb").read_text() == "mine"
    assert (own / "two" / "a.py").read_text() == "x = 1"
    assert not (own / ".two.new").exists()
    assert user.stat().st_mode & 0o077 == 0
