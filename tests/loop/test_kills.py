"""kill -9 of every piece, and of all at once, under load: what was acknowledged is there, once."""

import random
import time
from functools import partial
from pathlib import Path

import pytest

from loop.checks import (
    check_followers,
    check_kept_summaries,
    doubled,
    lost,
    lost_actuals,
    settle,
)
from loop.yard import PIECES, Load, Yard, wait_for
from support.yard import MODEL, Versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BACK_S = 240.0

ANSWERS_BETWEEN = 300


RATE = 200
"""Answers a second that the load must get before the first kill, if nothing else runs."""


def _answers_again(load: Load) -> float:
    """Wait until the load is answered as if nothing had been; return how many it is a second."""
    before, begun = load.answers(), time.monotonic()
    wait_for(lambda: load.answers() > before + ANSWERS_BETWEEN, BACK_S, "answers")
    return (load.answers() - before) / (time.monotonic() - begun)


def test_kills_lose_nothing(
    yard: Yard, token: str, versions: Versions, tmp_path: Path, seed: int, long_rounds: bool
) -> None:
    """Gateway, scorers, worker, control and runner die in turn, then all at once."""
    rng, begun = random.Random(seed), time.monotonic()
    load = Load(yard, MODEL, token, tmp_path, "--seed", f"kills {seed}")
    rates = [_answers_again(load)]
    for piece in rng.sample(PIECES, len(PIECES)):
        time.sleep(rng.uniform(0, 1))
        print(f"{time.monotonic() - begun:.1f} s: killing {piece}")
        yard.kill(piece)
        wait_for(partial(yard.processes, piece), BACK_S, f"{piece} again")
        rates.append(_answers_again(load))
    print(f"{time.monotonic() - begun:.1f} s: killing all")
    yard.kill_all()
    yard.start()
    _answers_again(load)
    load.end()
    print(f"{time.monotonic() - begun:.1f} s: {load.answers()} answers")
    told = ", ".join(f"{rate:.0f}" for rate in rates)
    print(f"answers a second before the first kill and while each piece came back: {told}")
    if long_rounds:  # elsewhere the machine may have other work
        assert rates[0] >= RATE
    raw = settle(yard, load)
    print(f"{time.monotonic() - begun:.1f} s: settled")
    acknowledged = load.acknowledged()
    assert lost(acknowledged, raw) == []
    assert doubled(acknowledged, raw) == []
    assert lost_actuals(load.actuals(), raw) == []
    check_followers(raw, versions)
    check_kept_summaries(raw, versions)
