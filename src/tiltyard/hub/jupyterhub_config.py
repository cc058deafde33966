"""JupyterHub's configuration where a site has none of its own."""

from typing import Any

from tiltyard.hub import configure

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterHub gives it
configure(c)
