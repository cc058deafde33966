"""The worker's copy of the route table: control being away must not stop it."""

import logging
import threading
from pathlib import Path

from pydantic import ValidationError

from tiltyard.client.control import ControlClient
from tiltyard.types.routes import RouteTable
from tiltyard.worker.files import replace_file

log = logging.getLogger(__name__)

WAIT_S = 20.0
"""How long control may hold a question for newer routes."""

BACK_OFF_S = 1.0


class RouteCache:
    """Follows control's route table and keeps the last one on disk.

    Attributes:
        table: the newest known, or None before the first.
    """

    def __init__(self, client: ControlClient, file: Path) -> None:
        self._client = client
        self._file = file
        self._ending = threading.Event()
        self._away = False
        self.table = self._read()

    def start(self) -> None:
        """Follow in a thread of its own."""
        threading.Thread(target=self._follow, name="routes", daemon=True).start()

    def end(self) -> None:
        """Stop following; a question under way is left to itself."""
        self._ending.set()

    def _follow(self) -> None:
        after = None  # a restored control may be behind the copy on disk: begin with its own
        while not self._ending.is_set():
            try:
                table = self._client.routes(after=after, wait_s=WAIT_S)
            except Exception as error:  # whatever it is, the last routes stay
                self._tell(error)
                self._ending.wait(BACK_OFF_S)
                continue
            self._away = False
            if table is not None:
                after = table.number
                self._keep(table)

    def _tell(self, error: Exception) -> None:
        if not self._away:
            log.warning("no routes from control, going on with the last ones: %s", error)
        self._away = True

    def _keep(self, table: RouteTable) -> None:
        self.table = table
        replace_file(self._file, table.model_dump_json())

    def _read(self) -> RouteTable | None:
        try:
            return RouteTable.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return None
