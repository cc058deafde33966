"""JupyterHub's configuration; what a site adds comes after the call."""

from typing import Any

from tiltyard.hub import configure

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterHub gives it
configure(c)
