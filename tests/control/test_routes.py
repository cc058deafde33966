"""Following the routes by long-poll."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.control import Control
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError


def number(control: Control) -> int:
    """Return the number of the newest routes."""
    table = control.client("gateway").routes()
    assert table is not None
    return table.number


def test_newer_routes_come_at_once(control: Control, bikes: str) -> None:
    """Without a number, and with an older one, nobody waits."""
    newest = number(control)
    table = control.client("worker").routes(after=newest - 1)
    assert table is not None
    assert (table.number, table.models[0].name) == (newest, "bikes")


def test_nothing_newer_is_a_204(control: Control) -> None:
    """When the time is over, or when nobody wants to wait."""
    assert control.client("gateway").routes(after=number(control)) is None
    assert control.client("gateway").routes(after=number(control), wait_s=0.2) is None


def test_a_change_wakes_who_waits(control: Control, bikes: str) -> None:
    """A token that is issued travels with the next table."""
    newest = number(control)
    threading.Timer(0.2, lambda: control.client().issue_token("shop", ["bikes"])).start()
    table = control.client("gateway").routes(after=newest, wait_s=10)
    assert table is not None
    assert [token.name for token in table.tokens] == ["shop"]


def test_a_change_by_another_process_wakes_who_waits(control: Control, bikes: str) -> None:
    """The registry is looked at, not only this process's own writes."""
    newest = number(control)
    registry = control.parts.registry
    change = threading.Timer(0.2, lambda: registry.tokens.issue_application("a", ["bikes"], "x"))
    change.start()
    assert control.client("gateway").routes(after=newest, wait_s=10) is not None


def test_many_may_wait_while_others_are_answered(control: Control, bikes: str) -> None:
    """Who waits holds no thread: more wait than control has threads."""
    newest = number(control)
    with ThreadPoolExecutor(80) as pool:
        waiting = [
            pool.submit(control.client("gateway").routes, newest, wait_s=20) for _ in range(80)
        ]
        time.sleep(0.5)
        assert control.client("viewer").model("bikes").name == "bikes"
        assert not any(future.done() for future in waiting)
        control.client().issue_token("shop", ["bikes"])
        assert all(future.result() for future in waiting)


def test_nobody_waits_for_ever(control: Control) -> None:
    """More than a minute is refused."""
    with pytest.raises(InvalidInputError, match="wait_s"):
        control.client("gateway").routes(after=1, wait_s=3600)


def test_a_spool_keeps_its_number(control: Control) -> None:
    """The same folder is the same gateway number for ever; a new one gets a new one."""
    client = control.client("gateway")
    first = client.register_gateway("a", "http://a", "spool 1")
    assert client.register_gateway("a", "http://a", "spool 1").number == first.number
    assert client.register_gateway("a", "http://a", "spool 2").number != first.number
    assert [g.name for g in control.client("viewer").gateways()] == ["a"]


def test_confirming_what_is_not_is_refused(control: Control) -> None:
    """Routes from the future, and a gateway that nobody knows."""
    client = control.client("gateway")
    with pytest.raises(NotFoundError):
        client.confirm_routes("a", 1)
    client.register_gateway("a", "http://a", "spool 1")
    with pytest.raises(ConflictError, match="backup"):
        client.confirm_routes("a", 10_000)
