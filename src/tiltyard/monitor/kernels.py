"""The pages' kernels: one each, of its visitor only, and without anybody's secrets."""

import os
from collections.abc import Mapping
from typing import Any

import traitlets
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

from tiltyard.deployers.groups import MARK
from tiltyard.monitor.desk import VARIABLE

_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("PATH_INFO", "QUERY_STRING", "SCRIPT_NAME"),
        # By it `tiltyard up` finds what is to end with it.
        *(MARK, VARIABLE),
    )
)
_PASSED_BEGIN = ("LC_", "VOILA_")


class VisitorKernels(AsyncMappingKernelManager):
    """Starts kernels for visitors.

    Its parent is the server, which has ``desk`` and ``control_url``.
    """

    owners = traitlets.Dict()
    """Kernel → the user whose page it belongs to."""

    async def _async_start_kernel(
        self, *, kernel_id: str | None = None, path: Any = None, **options: Any
    ) -> str:
        server: Any = self.parent
        environment = kernel_environment(options.get("env") or os.environ, server.control_url)
        owner = server.desk.holder(environment.get(VARIABLE, ""))
        options["env"] = environment
        started = await super()._async_start_kernel(kernel_id=kernel_id, path=path, **options)
        self.owners[started] = owner
        return started

    # Upstream calls the one by the other's name.
    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel and whose it was."""
        self.owners.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)

    def owner(self, kernel_id: str) -> str | None:
        """Return whose page a kernel belongs to; None if there is no such kernel."""
        found: str | None = self.owners.get(kernel_id)
        return found


class OwnKernels(Authorizer):
    """Lets each visitor reach the kernels of his or her own pages only."""

    def is_authorized(self, handler: JupyterHandler, user: Any, action: str, resource: str) -> bool:
        """Return True for one's own kernel.

        Raises:
            HTTPError: 404 it is another's or none; nobody learns which.
        """
        kernels: Any = handler.kernel_manager
        owner = kernels.owner(handler.path_kwargs.get("kernel_id", ""))
        if owner is None or owner != user.username:
            raise HTTPError(404, "There is no such kernel.")
        return True


def kernel_environment(given: Mapping[str, str], control_url: str) -> dict[str, str]:
    """Return what a kernel gets of an environment: what is known to be no secret.

    Args:
        given: the server's environment and what Voila adds of the request.
        control_url: where the kernel finds control.
    """
    passed = {
        name: value
        for name, value in given.items()
        if name in _PASSED or name.startswith(_PASSED_BEGIN)
    }
    return {**passed, "TILTYARD_CLIENT__URL": control_url}
