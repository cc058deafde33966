"""The Monitor's server by itself: its start, its notebook, and a hub that is away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.hub import DIES_WITH_US, free_port, wait_for
from tiltyard.cli.home import make_home, make_hub_tokens
from tiltyard.errors import NotFoundError
from tiltyard.monitor.__main__ import main
from tiltyard.monitor.kernels import kernel_environment
from tiltyard.monitor.notebook import CODE, find_notebook
from tiltyard.settings import load_settings

ROOT = Path(__file__).parents[2]


def test_the_notebook_of_the_checkout_shows_the_page() -> None:
    """dashboards/monitor.ipynb has the one cell that an installation without it gets too."""
    notebook = json.loads((ROOT / "dashboards" / "monitor.ipynb").read_text())
    assert ["".join(cell["source"]) for cell in notebook["cells"]] == [CODE]


def test_without_a_checkout_the_own_page_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is set and the default is not there, a notebook is written in the home."""
    monkeypatch.chdir(tmp_path)
    found = find_notebook(load_settings(home=tmp_path / "home"))
    assert found == tmp_path / "home" / "monitor" / "monitor.ipynb"
    assert CODE in "".join(json.loads(found.read_text())["cells"][0]["source"])


def test_a_notebook_that_is_set_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong `monitor.notebook` is named, and nothing else is shown instead."""
    monkeypatch.setenv("TILTYARD_MONITOR__NOTEBOOK", str(tmp_path / "wrong.ipynb"))
    with pytest.raises(NotFoundError, match=r"wrong\.ipynb.*monitor\.notebook"):
        find_notebook(load_settings(home=tmp_path))


def test_a_kernel_gets_only_what_is_known() -> None:
    """What is not known to be no secret is left out, whatever its name."""
    given = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "a", "TILTYARD_HOME": "/h"}
    made = kernel_environment(given, "http://control")
    assert made == {"PATH": "/bin", "LC_ALL": "C", "TILTYARD_CLIENT__URL": "http://control"}


def test_it_says_why_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tokens of `tiltyard up` it ends with one sentence."""
    monkeypatch.setenv("TILTYARD_HOME", str(tmp_path / "home"))
    # The program does so for itself; here it is to be undone.
    monkeypatch.setitem(sys.modules, "rfc3987_syntax", None)
    with pytest.raises(SystemExit, match="Start `tiltyard up`"):
        main()


@pytest.mark.slow
def test_it_says_that_the_hub_is_away(tmp_path: Path) -> None:
    """Without a hub it lets nobody in and says 503."""
    settings = load_settings(home=tmp_path / "home")
    make_home(settings)
    make_hub_tokens(settings)
    port = free_port()
    environment = {
        **os.environ,
        "TILTYARD_HOME": str(tmp_path / "home"),
        "TILTYARD_MONITOR__PORT": str(port),
        "TILTYARD_HUB__API_PORT": str(free_port()),
    }
    with (tmp_path / "log").open("ab") as log:
        monitor = subprocess.Popen(
            [*DIES_WITH_US, "-m", "tiltyard.monitor"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: _status(port) == 302, 60, (tmp_path / "log").read_text)
        with httpx.Client(trust_env=False) as client:
            answer = client.get(
                f"http://127.0.0.1:{port}/services/monitor/",
                headers={"Authorization": "token of-somebody"},
            )
        assert answer.status_code == 503
        assert "The hub does not answer" in answer.text
    finally:
        monitor.terminate()
        assert monitor.wait(10) == 0


def _status(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/services/monitor/", trust_env=False).status_code
    except httpx.TransportError:
        return 0
