"""The notebook that makes the page."""

import logging
from pathlib import Path

import nbformat

from tiltyard.errors import NotFoundError
from tiltyard.settings import Settings

logger = logging.getLogger(__name__)

CODE = "from tiltyard.monitor.page import show\n\nshow()"


def find_notebook(settings: Settings) -> Path:
    """Return the absolute path of the notebook to serve.

    That of the setting ``monitor.notebook``; where nothing is set and the default is not there,
    as in an installation without a checkout, one that is written into the home folder.

    Raises:
        NotFoundError: the setting names a file that is not there.
    """
    wanted = settings.monitor.notebook.absolute()
    if wanted.is_file():
        return wanted
    if "notebook" in settings.monitor.model_fields_set:
        raise NotFoundError("notebook", f"{wanted} (`monitor.notebook`)")
    own = settings.path("monitor", "monitor.ipynb")
    logger.warning("There is no notebook %s: %s shows Tiltyard's own page.", wanted, own)
    _write(own)
    return own


def _write(path: Path) -> None:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(CODE)]
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.new")
    nbformat.write(notebook, temporary)
    temporary.replace(path)
