"""The event stream."""

from collections.abc import Iterator

import pytest

from support.control import Control
from tiltyard.control.api import events as subject
from tiltyard.types.registry import Event, RunKind, RunRequest


def ask(control: Control) -> None:
    """Let something happen: a run is queued."""
    control.client("scientist").request_run(RunRequest(kind=RunKind.TRAIN, pipeline="p"))


def kinds(found: list[Event]) -> list[str]:
    """Return what happened."""
    return [event.kind for event in found]


def take(stream: Iterator[Event], count: int) -> list[Event]:
    """Return the next events of a stream."""
    return [next(stream) for _ in range(count)]


def test_events_come_as_they_happen(control: Control, bikes: str) -> None:
    """Without an id the stream begins now."""
    headers = {"authorization": f"Bearer {control.tokens['viewer']}"}
    with control.http.stream("GET", "/api/v1/events", headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        ask(control)
        assert next(line for line in lines if line.startswith("event:")) == "event: run.queued"


def test_a_stream_resumes_after_an_id(control: Control, bikes: str) -> None:
    """Nothing is lost and nothing comes twice."""
    ask(control)
    first = take(control.client("viewer").events(after=0), 3)
    ask(control)
    rest = take(control.client("viewer").events(after=first[-1].id), 1)
    every = take(control.client("viewer").events(after=0), 4)
    assert [*first, *rest] == every
    ids = [event.id for event in every]
    assert ids == sorted(set(ids))


def test_a_browser_resumes_by_its_header(control: Control, bikes: str) -> None:
    """Last-Event-ID goes before the URL's number, as EventSource needs it."""
    ask(control)
    last = take(control.client("viewer").events(after=0), 2)[-1]
    headers = {
        "authorization": f"Bearer {control.tokens['viewer']}",
        "last-event-id": str(last.id),
    }
    url = "/api/v1/events?after=0"
    with control.http.stream("GET", url, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        number = next(line for line in lines if line.startswith("id:"))
    assert int(number.removeprefix("id:")) == last.id + 1


def test_a_quiet_stream_says_that_it_lives(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments keep proxies from closing it."""
    monkeypatch.setattr(subject, "HEARTBEAT_S", 0.1)
    headers = {"authorization": f"Bearer {control.tokens['viewer']}"}
    with control.http.stream("GET", "/api/v1/events", headers=headers) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(comments) for _ in range(3)] == [": connected", ": still here", ": still here"]


def test_many_events_come_in_order(control: Control) -> None:
    """More than one reading of the registry brings."""
    for i in range(subject.BATCH + 20):
        control.parts.registry.events.add("test", None, {"i": i})
    stream = control.client("viewer").events(after=0)
    seen: list[int] = []
    while len(seen) < subject.BATCH + 20:
        event = next(stream)
        if event.kind == "test":
            seen.append(event.data["i"])
    assert seen == list(range(subject.BATCH + 20))
