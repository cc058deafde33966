"""The Monitor's page under Voila alone, without hub: ``python bare_voila.py PORT NOTEBOOK``.

Template and extensions are the Monitor's own. The visitor's ticket is what the
browser sends in the header that else the Monitor's server sets.
"""

import sys

from jupyter_core.utils import run_sync
from traitlets.config import Config
from voila.app import Voila

from tiltyard.monitor.desk import HEADER
from tiltyard.monitor.server import TEMPLATES


class BareVoila(Voila):
    """Voila with the Monitor's template."""

    def setup_template_dirs(self) -> None:
        """Look for templates in the package first."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(TEMPLATES))

    def stop(self) -> None:
        """End all kernels at once, as the Monitor's server does."""
        run_sync(self.kernel_manager.shutdown_all)(now=True)


def main(port: int, notebook: str) -> None:
    """Serve a notebook on 127.0.0.1."""
    allowed = [
        "@voila-dashboards/widgets-manager8",
        "@jupyter-widgets/jupyterlab-manager",
        "anywidget",
    ]
    config = Config(
        {"VoilaConfiguration": {"extension_allowlist": allowed, "http_header_envs": [HEADER]}}
    )
    server = BareVoila(
        notebook_path=notebook,
        ip="127.0.0.1",
        port=port,
        port_retries=0,
        open_browser=False,
        config_file_paths=[],
        config=config,
    )
    server.initialize([])
    server.start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
