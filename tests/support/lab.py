"""A user's JupyterLab, called as its pages call it: HTTP, and kernels by websocket."""

import json
from typing import Any
from uuid import uuid4

import websocket

from support.hub import Visitor

KERNEL_S = 90


class Lab:
    """A user's server.

    Args:
        visitor: the user's browser.
        base: such as ``/user/sam``.
    """

    def __init__(self, visitor: Visitor, base: str) -> None:
        self.http = visitor.http
        self.base = base
        self.page = self.http.get(f"{base}/lab")  # logs in at the server by way of the hub
        own = f"{base}/"
        xsrf = [c.value for c in self.http.cookies.jar if (c.name, c.path) == ("_xsrf", own)]
        self._headers = {"x-xsrftoken": xsrf[0] or "", "sec-fetch-mode": "cors"}

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call the server's API."""
        answer = self.http.request(
            method, f"{self.base}/api{path}", headers=self._headers, **request
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def kernel(self, path: str = "") -> str:
        """Start a kernel beside a file; return its id."""
        answer = self.call("POST", "/kernels", json={"name": "python3", "path": path})
        return str(answer["id"])

    def run(self, kernel: str, code: str) -> str:
        """Run code; return what it prints, its error too."""
        url = f"{self.http.base_url}".replace("http", "ws", 1).rstrip("/")
        cookies = "; ".join(
            f"{c.name}={c.value}" for c in self.http.cookies.jar if self.base in (c.path or "")
        )
        channels = f"{url}{self.base}/api/kernels/{kernel}/channels"
        socket = websocket.create_connection(channels, cookie=cookies, timeout=KERNEL_S)
        try:
            message = _execute_request(code)
            socket.send(json.dumps(message))
            return _output(socket, message["header"]["msg_id"])
        finally:
            socket.close()


def _execute_request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid4().hex,
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "stop_on_error": True}
    empty: dict[str, Any] = {"parent_header": {}, "metadata": {}, "buffers": []}
    return {"header": header, "content": content, "channel": "shell", **empty}


def _output(socket: Any, request: str) -> str:
    printed = ""
    while True:
        message = json.loads(socket.recv())
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            printed += content["text"]
        elif kind == "error":
            printed += f"{content['ename']}: {content['evalue']}"
        elif kind == "status" and content["execution_state"] == "idle":
            return printed
