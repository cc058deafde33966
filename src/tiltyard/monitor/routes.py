"""All that can be asked of the Monitor's server; what is not named here is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tornado.web
from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, FileFindHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from tornado.httputil import HTTPHeaders
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from tiltyard.monitor.desk import HEADER, TicketDesk
from tiltyard.monitor.identity import PREFIX

_KERNEL = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"
_OURS = "x-tiltyard-"


class PageHandler(TornadoVoilaHandler):
    """The page: starts a kernel that acts for the visitor, and shows what it makes."""

    @tornado.web.authenticated
    async def get(self) -> None:
        """Answer with the page, piece by piece."""
        desk: TicketDesk = self.settings["desk"]
        with _ticketed(self.request.headers, desk.ticket(self.current_user.username)):
            await super().get()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a page that says what to do, also before the visitor is known."""
        error = kwargs.get("exc_info", (None, None))[1]
        page = self.get_template("error.html")
        message = getattr(error, "log_message", None) or ""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(page.render(status_code=status_code, message=message, base_url=PREFIX))


class TemplateHandler(TemplateStaticFileHandler):
    """The template's scripts and styles; Voila's own fails on a path that leads upwards."""

    def parse_url_path(self, url_path: str) -> str:
        """Return the path of a file.

        Raises:
            HTTPError: 404 the path leads out of the template.
        """
        if ".." in url_path.split("/"):
            raise tornado.web.HTTPError(404)
        path: str = super().parse_url_path(url_path)
        return path


class CloseHandler(APIHandler):
    """Ends the kernel of a page that closes; Voila's own asks nobody whose kernel it is."""

    auth_resource = "kernels"

    @tornado.web.authenticated
    @authorized
    async def post(self, kernel_id: str) -> None:
        """End a kernel at once: its page is gone."""
        await ensure_async(self.kernel_manager.shutdown_kernel(kernel_id, now=True))
        self.set_status(204)
        self.finish()


def routes(server: Any) -> list[tuple[Any, ...]]:
    """Return the routes of a server that has read its notebook and its templates."""
    page = {
        "notebook_path": server.notebook_name,
        "template_paths": server.template_paths,
        "config": server.config,
        "voila_configuration": server.voila_configuration,
    }
    static = {"paths": server.static_paths, "default_filename": "index.html"}
    labextensions = {"path": server.labextensions_path, "no_cache_paths": ["/"]}
    return [
        (PREFIX, PageHandler, page),
        (f"{PREFIX}api/kernels/{_KERNEL}", KernelHandler),
        (f"{PREFIX}api/kernels/{_KERNEL}/channels", VoilaKernelWebsocketHandler),
        (f"{PREFIX}voila/api/shutdown/{_KERNEL}", CloseHandler),
        (rf"{PREFIX}voila/templates/(lab/static/.*)", TemplateHandler),
        (f"{PREFIX}voila/static/(.*)", MultiStaticFileHandler, static),
        (f"{PREFIX}voila/labextensions/(.*)", FileFindHandler, labextensions),
        *server.identity_provider.get_handlers(),
    ]


@contextmanager
def _ticketed(headers: HTTPHeaders, ticket: str) -> Iterator[None]:
    """Put a ticket into a request in place of what its sender put there.

    It is taken out again, because a request that fails is logged with its headers.
    """
    for name in [name for name in headers if name.lower().startswith(_OURS)]:
        del headers[name]
    headers[HEADER] = ticket
    try:
        yield
    finally:
        del headers[HEADER]
