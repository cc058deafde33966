"""JupyterHub as a child of `tiltyard up`: ``python -m tiltyard.hub``."""

import os
import sys
from pathlib import Path

from tiltyard.settings import load_settings

BUILT_IN = Path(__file__).with_name("jupyterhub_config.py")


def main() -> None:
    """Run the hub with the site's configuration file, else with Tiltyard's alone."""
    # None means: not installed. jsonschema would compile its grammar, a second's work, for a
    # format that no schema here has.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from jupyterhub.app import JupyterHub  # noqa: PLC0415  after the line above

    os.umask(0o077)
    settings = load_settings()
    folder = settings.path("hub")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    site = settings.hub.config.absolute()
    config = site if site.is_file() else BUILT_IN
    JupyterHub.launch_instance(["--config", str(config)])


if __name__ == "__main__":
    main()
