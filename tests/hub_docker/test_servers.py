"""People at work in containers: what they choose, what they reach, what outlives what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from hub_docker.conftest import WORDS
from support.browser import Window, run_all
from support.containers import ContainerYard
from support.engine_door import EngineDoor
from support.hub import Visitor, wait_for
from support.lab import Lab
from support.outside import host_outside
from support.reach import attempt, listening, reachable
from tiltyard.containers.images import read_lock, write_lock
from tiltyard.containers.labels import named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RUN_S = 120.0
CELLS = (
    "import tiltyard\nfrom sklearn.linear_model import Ridge",
    'rides = tiltyard.read_lake("SELECT temp, hum, windspeed, bikers FROM bikeshare LIMIT 2000")',
    'tiltyard.write_history("rides", rides, target="bikers", task="regression")',
    'tiltyard.log_model(Ridge(), rides, model="rides").version',
)
_PLAIN: dict[str, Any] = {"metadata": {}}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "title", "source": "# Rides", **_PLAIN},
        *(
            {
                "cell_type": "code",
                "id": f"cell-{n}",
                "source": code,
                "outputs": [],
                "execution_count": None,
                **_PLAIN,
            }
            for n, code in enumerate(CELLS)
        ),
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


MAY = """
import json, os, shutil
status = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines())
def may(path):
    try:
        open(path, "a").close()
    except OSError:
        return False
    return True
places = ["/etc/x", "/opt/venv/x", "/lake/lake.db", "/opt/tiltyard/pipelines/x"]
interfaces = "/proc/net/if_inet6"
print(json.dumps({
    "uid": [os.getuid(), os.geteuid(), os.getgid()],
    "caps": status["CapEff"].strip(),
    "more": status["NoNewPrivs"].strip(),
    "bounding": status["CapBnd"].strip(),
    "writes": [place for place in (*places, "/home/yard/x", "/tmp/x") if may(place)],
    "socket": os.path.exists("/var/run/docker.sock"),
    "tools": [name for name in ("gcc", "cc", "sudo", "docker") if shutil.which(name)],
    "ipv6": os.path.exists(interfaces) and "eth0" in open(interfaces).read(),
}))
"""


@pytest.fixture(scope="module")
def sam(site: ContainerYard) -> Iterator[Visitor]:
    """Give sam, a scientist, who has chosen no image in this browser."""
    with site.visitor() as visitor:
        visitor.login("sam", "train-a-lot-2032")
        yield visitor


@pytest.fixture(scope="module")
def pat(site: ContainerYard) -> Iterator[Visitor]:
    """Give pat, a promoter."""
    with site.visitor("pat") as visitor:
        yield visitor


@pytest.fixture(scope="module")
def page(site: ContainerYard, browser: Browser) -> Iterator[Page]:
    """Give sam's browser window, logged in; at the end it has asked no other host."""
    window = Window(browser, site.url)
    window.login("sam")
    yield window.page
    window.close()
    assert window.hosts <= {"127.0.0.1"}


def test_a_scientist_chooses_an_image_and_trains(
    site: ContainerYard, lock: Path, page: Page, sam: Visitor
) -> None:
    """The page says what there is; in JupyterLab a notebook reads the lake and logs a version."""
    page.wait_for_url("**/hub/spawn**")
    cards = page.locator(".ty-image")
    expect(cards).to_have_count(2)
    expect(page.get_by_label("lab-python")).to_be_checked()
    more = read_lock(lock).current("lab-more")
    about = cards.filter(has_text="lab-more")
    expect(about).to_contain_text(WORDS)
    expect(about).to_contain_text(f"{more.size_bytes / 1e9:.1f} GB")
    expect(about).to_contain_text("built ")
    page.get_by_text("lab-more").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#jp-MainMenu", timeout=120_000)
    assert site.server("sam").image.id == more.id

    lab = Lab(sam, "/user/sam")
    lab.call("PUT", "/contents/rides.ipynb", json={"type": "notebook", "content": NOTEBOOK})
    page.goto(f"{site.url}/user/sam/lab/tree/rides.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]")
    run_all(page)
    with site.client() as client:
        wait_for(lambda: "rides" in {m.name for m in client.models()}, RUN_S, site.logs)
        wait_for(lambda: len(client.versions("rides")) == 1, RUN_S, site.logs)
        assert client.versions("rides")[0].created_by == "sam"


def test_a_server_may_do_little(site: ContainerYard, sam: Visitor) -> None:
    """No root, no capability, only its own folder to write to; bounded, as the engine says."""
    told = site.inside("sam", MAY)
    assert told["uid"] == [10001, 10001, 10001]
    assert int(told["caps"], 16) == int(told["bounding"], 16) == 0
    assert told["more"] == "1"
    assert told["writes"] == ["/home/yard/x", "/tmp/x"]  # noqa: S108  the container's
    assert not told["socket"]
    assert told["tools"] == []
    assert not told["ipv6"]
    host = site.server("sam").attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 1500 * 2**20
    assert host["PidsLimit"] == 400
    assert host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["Dns"] == ["127.0.0.1"]


def test_a_server_holds_no_secret_of_the_platform(site: ContainerYard, sam: Visitor) -> None:
    """Its own token, and nothing else: not in the environment, not in a mount, not in the lake."""
    attributes = site.server("sam").attrs
    environment = dict(line.split("=", 1) for line in attributes["Config"]["Env"])
    secrets = {path.read_text().strip() for path in (site.home / "tokens").iterdir()}
    assert secrets
    assert not [name for name, value in environment.items() if value in secrets]
    ours = sorted(name for name in environment if name.startswith("TILTYARD_"))
    assert ours == [
        "TILTYARD_CLIENT__GATEWAY_URL",
        "TILTYARD_CLIENT__TOKEN",
        "TILTYARD_CLIENT__URL",
        "TILTYARD_IMAGE",
        "TILTYARD_LAKE__URL",
        "TILTYARD_PIPELINES__PATH",
    ]
    assert environment["TILTYARD_IMAGE"] == attributes["Image"]
    seen = {mount["Destination"]: mount for mount in attributes["Mounts"]}
    assert set(seen) == {"/home/yard", "/lake/lake.db", "/opt/tiltyard/pipelines"}
    assert [d for d, mount in seen.items() if mount["RW"]] == ["/home/yard"]
    assert site.hub_user(environment["TILTYARD_CLIENT__TOKEN"])["name"] == "sam"
    assert not [
        scope
        for scope in site.hub_user(environment["TILTYARD_CLIENT__TOKEN"])["scopes"]
        if scope.startswith(("servers", "tokens", "admin"))
    ]


def test_who_asks_for_what_is_not_offered_is_told(
    site: ContainerYard, pat: Visitor, sam: Visitor
) -> None:
    """By group; the rejected image does not stand in the way of the next plain start."""
    refused = site.ask_for_server(pat, "pat", image="lab-more")
    assert refused.status_code == 400
    assert "'lab-more' is not offered to you: choose lab-python or" in refused.json()["message"]
    by_id = site.ask_for_server(pat, "pat", image=site.server("sam").image.id)
    assert by_id.status_code == 400
    with site.visitor("olga") as olga:
        nothing = site.ask_for_server(olga, "olga")
        assert nothing.status_code == 400
        assert "servers.images" in nothing.json()["message"]
    assert site.ask_for_server(pat, "pat").status_code in {201, 202}
    assert site.server("pat").labels["tiltyard.user"] == "pat"


def test_a_server_reaches_the_platform_and_nothing_else(
    site: ContainerYard, sam: Visitor, pat: Visitor
) -> None:
    """Hub, control and gateway answer; host, other people and the world are shut off."""
    settings = site.settings
    platform = [
        f"{settings.hub_api_url}/",
        f"{settings.container_control_url}/api/v1/health",
        f"{settings.container_gateway_url}/healthz",
    ]
    code = f"""
import json, urllib.request
open_ = urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open
print(json.dumps([open_(url, timeout=10).status for url in {platform!r}]))
"""
    assert site.inside("sam", code) == [200, 200, 200]
    bridge, hub = settings.bridge, settings.hub
    network = site.server("pat").attrs["NetworkSettings"]["Networks"][named(settings)]
    assert reachable(network["IPAddress"], 8888)
    with host_outside() as outside, listening("0.0.0.0") as like_ssh, listening(bridge) as near:  # noqa: S104  the case
        assert reachable(outside.address, outside.port)
        targets = [
            (network["IPAddress"], 8888),
            (bridge, like_ssh),
            (outside.near, like_ssh),
            (bridge, near),
            (bridge, hub.port),
            (bridge, hub.proxy_api_port),
            (bridge, settings.monitor.port),
            ("127.0.0.1", hub.proxy_api_port),
            (outside.address, outside.port),
        ]
        reached = site.inside("sam", attempt(targets))
    assert not [target for target, connected in reached.items() if connected]


def test_a_hub_that_restarts_leaves_servers_running(
    site: ContainerYard, sam: Visitor, page: Page
) -> None:
    """The container is the same, its kernel goes on, and the hub knows it again."""
    before = site.server("sam").id
    lab = Lab(sam, "/user/sam")
    kernel = lab.kernel()
    lab.run(kernel, "kept = 6 * 7")
    site.kill("hub")
    assert lab.run(kernel, "print(kept)").strip() == "42"
    wait_for(lambda: answers(site), 60, site.logs)
    assert site.server("sam").id == before
    wait_for(lambda: site.ready(sam, "sam"), 30, site.logs)
    page.goto(f"{site.url}/user/sam/lab")
    page.wait_for_selector("#jp-MainMenu")


def answers(site: ContainerYard) -> bool:
    """Return whether the hub answers."""
    try:
        return httpx.get(f"{site.api}/", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_the_volume_outlives_the_server(site: ContainerYard, sam: Visitor) -> None:
    """Stopped, the container is gone; started with another image, the files are there."""
    site.inside("sam", 'open("/home/yard/mine.txt", "w").write("kept"); print(1)')
    site.stop_server(sam, "sam")
    assert site.ask_for_server(sam, "sam", image="lab-python").status_code in {201, 202}
    assert site.inside("sam", 'import json; print(json.dumps(open("/home/yard/mine.txt").read()))')
    volumes = {m["Name"] for m in site.server("sam").attrs["Mounts"] if m["Type"] == "volume"}
    assert volumes == {named(site.settings, "user", "sam")}
    labels = site.engine.volumes.get(volumes.pop()).attrs["Labels"]
    assert labels["tiltyard.user"] == "sam"


@pytest.fixture
def stopped(site: ContainerYard, pat: Visitor) -> Visitor:
    """Give pat without a server."""
    if site.has_server("pat"):
        site.stop_server(pat, "pat")
    return pat


def refusal(site: ContainerYard, visitor: Visitor, **options: Any) -> str:
    """Ask for pat's server; return the sentence of its refusal, which leaves nothing behind."""
    answer = site.ask_for_server(visitor, "pat", **options)
    assert answer.status_code == 503, answer.text
    assert not site.has_server("pat")
    return str(answer.json()["message"])


def test_an_engine_that_is_away_is_told(
    site: ContainerYard, door: EngineDoor, stopped: Visitor, sam: Visitor
) -> None:
    """At once, by API and on the page; who has a server works on, and afterwards all is well."""
    door.shut(away=True)
    try:
        assert "does not answer: start it" in refusal(site, stopped)
        shown = stopped.http.get("/hub/spawn")
        assert shown.status_code == 200  # the form, which says less
        form = stopped.xsrf(shown)
        sent = stopped.http.post("/hub/spawn", data={"_xsrf": form, "image": "lab-python"})
        assert sent.status_code == 503
        assert "The Docker Engine at unix:" in sent.text
        assert Lab(sam, "/user/sam").page.status_code == 200
    finally:
        door.shut(away=False)
    assert site.ask_for_server(stopped, "pat").status_code in {201, 202}
    assert site.ready(sam, "sam")


def test_a_full_disk_is_told(site: ContainerYard, door: EngineDoor, stopped: Visitor) -> None:
    """The sentence says whose disk it is."""
    door.full = True
    try:
        assert "disk of the Docker Engine is full" in refusal(site, stopped)
    finally:
        door.full = False


def test_a_missing_image_is_told(site: ContainerYard, lock: Path, stopped: Visitor) -> None:
    """One that the engine lacks, a record without it, and a record that is none."""
    whole = lock.read_text()
    recorded = read_lock(lock)
    lab = recorded.current("lab-python")
    gone = lab.model_copy(update={"id": f"sha256:{'0' * 64}"})
    newest = recorded.sets[-1].model_copy(update={"images": {lab.name: gone}})
    try:
        write_lock(lock, recorded.model_copy(update={"sets": (newest,)}))
        assert "recorded but not at this Docker Engine" in refusal(site, stopped)
        write_lock(lock, recorded.model_copy(update={"sets": ()}))
        assert "`tiltyard images build`" in refusal(site, stopped)
        lock.write_text("{")
        assert "is no record of images" in refusal(site, stopped)
    finally:
        lock.write_text(whole)


def test_a_server_that_ends_while_it_starts_is_told(site: ContainerYard, stopped: Visitor) -> None:
    """At once, with its last words; the next one starts."""
    assert "no pipelines today" in refusal(site, stopped, image="lab-broken")
    assert site.ask_for_server(stopped, "pat", image="lab-python").status_code in {201, 202}


def test_who_is_idle_is_stopped(site: ContainerYard, pat: Visitor, sam: Visitor) -> None:
    """The culler ends the containers; the volumes stay."""
    if not site.has_server("pat"):
        site.ask_for_server(pat, "pat", image="lab-python")
    (site.folder / "tiltyard.toml").write_text("[hub]\nidle_timeout_s = 2\n")
    site.kill("hub")
    wait_for(lambda: answers(site), 60, site.logs)
    wait_for(lambda: not site.has_server("pat"), 60, site.logs)
    assert site.engine.volumes.get(named(site.settings, "user", "pat"))
