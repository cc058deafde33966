"""A notebook that shows what its kernel was given, and how to look at it in a browser."""

import json
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, BrowserContext, Page

from support.browser import log_in
from support.people import PeopledYard
from tiltyard.client.tickets import verify

SECRETS = {
    "TILTYARD_OIDC__CLIENT_SECRET": "secret-of-the-provider",
    "PGPASSWORD": "secret-of-the-database",
}
"""Secrets that `tiltyard up` may have in its environment."""

SOURCE = '''
import html, json, os
import anywidget, traitlets, ipywidgets
from IPython.display import display

query = os.environ["QUERY_STRING"]
if "fail" in query:
    raise RuntimeError("what-the-traceback-says")

class Ticker(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      el.innerHTML = "<output id=ticks></output>";
      const show = () => { el.firstChild.textContent = model.get("answered"); };
      model.on("change:answered", show);
      const timer = setInterval(() => {
        model.set("asked", model.get("asked") + 1);
        model.save_changes();
      }, 1000);
      show();
      return () => clearInterval(timer);
    } };
    """
    asked = traitlets.Int(0).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("asked")
    def _answer(self, change):
        self.answered = change["new"]

told = html.escape(json.dumps(dict(os.environ)))
display(ipywidgets.HTML(f"<pre id=environment>{told}</pre>"))
if "quiet" not in query:
    display(Ticker())
'''
SIGN_OF_SOURCE = "what-the-traceback-says"


def write_notebook(folder: Path) -> Path:
    """Write the notebook into a folder of its own; a picture lies beside it."""
    folder.mkdir()
    path = folder / "shows.ipynb"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "shows",
        "execution_count": None,
        "metadata": {},
    }
    notebook = {
        "cells": [{**cell, "outputs": [], "source": SOURCE}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook))
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return path


class Visit:
    """Somebody's browser with the Monitor open.

    Args:
        browser: a Chromium.
        yard: whose Monitor is visited.
        name: who logs in.
        query: of the first page.
        password: of who is not among the usual people.
        context: options of the browser's context.
    """

    def __init__(
        self,
        browser: Browser,
        yard: PeopledYard,
        name: str,
        query: str = "",
        password: str | None = None,
        **context: Any,
    ) -> None:
        self.url = f"{yard.url}/services/monitor/"
        self.yard = yard
        self.context: BrowserContext = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        log_in(self.page, f"{self.url}{query}", name, password)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def environment(self, page: Page | None = None) -> dict[str, str]:
        """Return the environment of a page's kernel, as the page shows it."""
        told = (page or self.page).locator("#environment").text_content(timeout=60_000)
        found: dict[str, str] = json.loads(told or "")
        return found

    def kernel(self) -> str:
        """Return the id of the page's kernel."""
        return self.environment()["VOILA_KERNEL_ID"]

    def user(self) -> str:
        """Return the user whom the kernel's ticket names; the key of control verifies it."""
        key = (self.yard.home / "tokens" / "ticket-key").read_text().strip().encode()
        return verify(key, self.environment()["HTTP_X_TILTYARD_TICKET"], 0)

    def status(self, path: str) -> int:
        """Return the status of a GET below the Monitor's path, with the visitor's cookies."""
        return self.context.request.get(f"{self.url}{path}", max_redirects=0).status

    def send(self, method: str, path: str) -> int:
        """Return the status of another call, with the token that the page's scripts send."""
        xsrf = next(
            cookie["value"]
            for cookie in self.context.cookies(self.url)
            if cookie["name"] == "_xsrf" and cookie["path"].startswith("/services/monitor")
        )
        answer = self.context.request.fetch(
            f"{self.url}{path}", method=method, headers={"X-XSRFToken": xsrf}
        )
        return answer.status

    def websocket(self, kernel: str) -> str:
        """Return ``open`` or ``refused``: what becomes of a websocket to a kernel."""
        script = """kernel => new Promise(resolve => {
            const url = `ws://${location.host}/services/monitor/api/kernels/${kernel}/channels`;
            const socket = new WebSocket(`${url}?session_id=test`);
            socket.onopen = () => { socket.close(); resolve("open"); };
            socket.onerror = () => resolve("refused");
        })"""
        return str(self.page.evaluate(script, kernel))


def kernels(yard: PeopledYard) -> set[str]:
    """Return the ids of the kernels that live."""
    found = set()
    for monitor in yard.processes("monitor"):
        for child in monitor.children(recursive=True):
            try:
                names = [word for word in child.cmdline() if "kernel-" in word]
            except psutil.NoSuchProcess:
                continue
            found |= {Path(name).stem.removeprefix("kernel-") for name in names}
    return found
