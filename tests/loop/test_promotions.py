"""Promotions back and forth under load: no call fails, none is answered by the old champion."""

import bisect
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loop.checks import check_followers, check_kept_summaries, lost, settle
from loop.yard import Load, Yard, wait_for
from support.yard import MODEL, Versions
from tiltyard.client.control import ControlClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PROMOTIONS, ALL_PROMOTIONS = 100, 1_000


class Change(NamedTuple):
    """A promotion: when it was called and when it had answered 200."""

    version: int
    called: float
    returned: float


def promote(client: ControlClient, champion: int, version: int) -> Change:
    """Promote a version; the answer must be that nobody is waited for."""
    called = time.monotonic()
    promotion = client.promote(MODEL, version, champion, "back and forth")
    assert promotion.waiting_for == ()
    return Change(version, called, time.monotonic())


def wrongly_answered(
    acknowledged: Sequence[Sequence[Any]], changes: Sequence[Change]
) -> list[Sequence[Any]]:
    """Return calls that another version answered than those that were champion meanwhile.

    A call may be answered by the last version whose promotion had returned when it began, or by
    any whose promotion was called before it ended.
    """
    returned = [change.returned for change in changes]

    def allowed(begun: float, ended: float) -> set[int]:
        last = max(bisect.bisect_right(returned, begun) - 1, 0)
        later = [change.version for change in changes[last + 1 :] if change.called <= ended]
        return {changes[last].version, *later}

    return [line for line in acknowledged if line[1] not in allowed(line[4], line[5])]


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_promotions_under_load(
    request: pytest.FixtureRequest,
    versions: Versions,
    tmp_path: Path,
    long_rounds: bool,
    runtime: str,
) -> None:
    """Three versions take turns; every call is answered, by who is champion then."""
    prefix = "docker_" if runtime == "docker" else ""
    yard: Yard = request.getfixturevalue(f"{prefix}yard")
    token: str = request.getfixturevalue(f"{prefix}token")
    rng = random.Random(5)
    load = Load(yard, MODEL, token, tmp_path, "--seed", "promotions", "--plain")
    wait_for(lambda: load.answers() > 100, 60, "answers")
    with yard.client() as client:
        changes = [Change(client.model(MODEL).champion or 0, 0.0, 0.0)]
        for _ in range(ALL_PROMOTIONS if long_rounds else PROMOTIONS):
            champion = changes[-1].version
            next_one = rng.choice([v for v in (1, 2, 3) if v != champion])
            changes.append(promote(client, champion, next_one))
            time.sleep(rng.uniform(0, 0.1))
    load.end()
    acknowledged = load.acknowledged()
    assert load.failures() == []
    assert wrongly_answered(acknowledged, changes) == []
    assert {line[1] for line in acknowledged} == {1, 2, 3}
    raw = settle(yard, load)
    assert lost(acknowledged, raw) == []
    check_followers(raw, versions)
    check_kept_summaries(raw, versions)


def test_the_check_sees_an_answer_of_the_old_champion() -> None:
    """The comparison can fail: a call that began after the answer, answered by the old one."""
    changes = [Change(1, 0, 0), Change(2, 10, 11), Change(3, 20, 21)]
    good = [["a", 1, 0, {}, 5, 6], ["b", 1, 0, {}, 10.5, 12], ["c", 2, 0, {}, 10.5, 12]]
    crossing = [["d", 2, 0, {}, 19, 20.5], ["e", 3, 0, {}, 19, 20.5]]
    assert wrongly_answered(good + crossing, changes) == []
    bad = [["f", 1, 0, {}, 11.1, 11.2], ["g", 3, 0, {}, 12, 13], ["h", 1, 0, {}, 22, 23]]
    assert wrongly_answered(bad, changes) == bad
