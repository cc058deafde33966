"""Following control: register, long-poll the routes, confirm them. Two threads that may wait."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from tiltyard.client.control import ControlClient
from tiltyard.errors import TiltyardError
from tiltyard.types.registry import LedgerHead
from tiltyard.types.routes import GatewayInfo, RouteTable

logger = logging.getLogger(__name__)

POLL_S = 20.0
CALL_TIMEOUT_S = 5.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
GOODBYE_S = 0.7


class Follows(Protocol):
    """What the follower tells the gateway; called from its threads, may block."""

    def registered(self, info: GatewayInfo) -> None:
        """Take the number that control gave."""

    def routed(self, table: RouteTable) -> None:
        """Put a table into force."""

    def ledgers(self) -> Mapping[str, LedgerHead]:
        """Return the ledger heads to confirm with."""


class Follower:
    """Keeps the gateway's routes those of control, for as long as control answers.

    Args:
        connect: makes a client of control; the argument is its time-out in seconds.
        name: the gateway's.
        url: under which applications reach it.
        spool: name of its spool.
        gateway: is told what control says.
    """

    def __init__(
        self,
        connect: Callable[[float], ControlClient],
        name: str,
        url: str,
        spool: str,
        gateway: Follows,
    ) -> None:
        self._connect = connect
        self._name, self._url, self._spool = name, url, spool
        self._gateway = gateway
        self._ended = threading.Event()
        self._to_confirm: queue.SimpleQueue[int] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to follow."""
        for target in (self._follow, self._confirm):
            threading.Thread(target=target, name=f"routes{target.__name__}", daemon=True).start()

    def confirm(self, number: int) -> None:
        """Tell control that all calls begun under older routes have ended."""
        self._to_confirm.put(number)

    def stop(self) -> bool:
        """Unregister; return whether control heard it within a short time."""
        self._ended.set()
        try:
            with self._connect(GOODBYE_S) as client:
                client.remove_gateway(self._name)
        except TiltyardError as error:
            logger.info("control was not told of the stop: %s", error)
            return False
        return True

    def _follow(self) -> None:
        self._persist(self._follow_once, "routes stay as they are")

    def _confirm(self) -> None:
        while not self._ended.is_set():
            number = self._to_confirm.get()
            self._persist(lambda: self._confirm_once(number), "routes are not confirmed")  # noqa: B023  it ends within the turn

    def _confirm_once(self, number: int) -> None:
        if self._to_confirm.empty():  # else a newer one says it as well
            with self._connect(CALL_TIMEOUT_S) as client:
                client.confirm_routes(self._name, number, self._gateway.ledgers())

    def _follow_once(self) -> None:
        """Register, then take tables until control does not answer."""
        with self._connect(CALL_TIMEOUT_S) as client:
            info = client.register_gateway(self._name, self._url, self._spool)
            self._gateway.registered(info)
            after: int | None = None
            while not self._ended.is_set():
                table = client.routes(after, POLL_S)
                if table is not None:
                    after = table.number
                    self._gateway.routed(table)

    def _persist(self, work: Callable[[], None], meanwhile: str) -> None:
        """Do some work, again and again until it is done; tell of a failure once."""
        pause, told = FIRST_PAUSE_S, ""
        while not self._ended.is_set():
            try:
                work()
            except Exception as error:  # whatever it is: without this thread no route changes
                if str(error) != told:
                    told = str(error)
                    logger.warning("%s; %s meanwhile", told, meanwhile)
                self._ended.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                return
