"""What is remembered of the hub's answers."""

import threading

import pytest

from tiltyard.control.recent import Recent


class Source:
    """Counts how often it is asked; what it answers can be changed."""

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.asked = 0
        self.now = 100.0

    def __call__(self) -> str | None:
        """Answer."""
        self.asked += 1
        return self.answer


def recent(source: Source, most: int = 3) -> Recent[str]:
    """Return a memory of 10 s, of refusals 2 s, by the source's clock."""
    return Recent[str](10, 2, most, lambda: source.now)


def test_a_find_is_believed_for_its_time() -> None:
    """It is asked for again when the time is over."""
    source = Source("ann")
    memory = recent(source)
    assert [memory.get("k", source) for _ in range(3)] == ["ann"] * 3
    source.now, source.answer = 109.9, "bob"
    assert (memory.get("k", source), source.asked) == ("ann", 1)
    source.now = 110.0
    assert (memory.get("k", source), source.asked) == ("bob", 2)


def test_a_refusal_is_believed_shortly() -> None:
    """Who gets rights now has them in two seconds."""
    source = Source(None)
    memory = recent(source)
    assert [memory.get("k", source), memory.get("k", source)] == [None, None]
    assert source.asked == 1
    source.now, source.answer = 102.0, "ann"
    assert (memory.get("k", source), source.asked) == ("ann", 2)


def test_a_fresh_answer_replaces_what_was_believed() -> None:
    """Whoever asks next is told the same, refusals too."""
    source = Source("ann")
    memory = recent(source)
    memory.get("k", source)
    source.answer = None
    assert memory.get("k", source, fresh=True) is None
    assert (memory.get("k", source), source.asked) == (None, 2)


def test_what_asking_raises_is_not_remembered() -> None:
    """The next one asks again."""
    source = Source("ann")
    memory = recent(source)

    def failing() -> str:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        memory.get("k", failing)
    assert memory.get("k", source) == "ann"


def test_it_is_bounded_and_refusals_push_no_find_out() -> None:
    """The oldest find goes; a thousand unknown keys take no find's place."""
    found, unknown = Source("ann"), Source(None)
    memory = recent(found, most=3)
    for key in "abcd":
        memory.get(key, found)
    for i in range(1000):
        memory.get(str(i), unknown)
    before = found.asked
    for key in "bcd":
        memory.get(key, found)
    assert found.asked == before
    memory.get("a", found)
    assert found.asked == before + 1


def test_a_slow_answer_hides_no_later_one() -> None:
    """An answer counts from when it was asked for."""
    source = Source("new")
    memory = recent(source)
    started, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        started.set()
        assert go_on.wait(10)
        return "old"

    thread = threading.Thread(target=lambda: memory.get("k", slow))
    thread.start()
    assert started.wait(10)
    source.now += 1
    memory.get("k", source, fresh=True)
    go_on.set()
    thread.join(10)
    assert memory.get("k", source) == "new"
