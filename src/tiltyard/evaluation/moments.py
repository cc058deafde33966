"""Count, sum, spread and range of numbers, in a form that merges."""

import math
from collections.abc import Iterable, Sequence

import msgspec


class Moments(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a set of numbers adds up to.

    Attributes:
        total: Σx.
        spread: Σ(x - mean)², which loses no digits where Σx² - n·mean² would.
    """

    n: int = 0
    total: float = 0.0
    spread: float = 0.0
    minimum: float | None = None
    maximum: float | None = None


def moments(numbers: Sequence[float]) -> Moments:
    """Return the moments of finite numbers."""
    if not numbers:
        return Moments()
    total = math.fsum(numbers)
    mean = total / len(numbers)
    spread = math.fsum((x - mean) ** 2 for x in numbers)
    return Moments(len(numbers), total, spread, min(numbers), max(numbers))


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Return the moments of both sets together (Chan, Golub, LeVeque 1979 for the spread)."""
    if not a.n or not b.n:
        return a if a.n else b
    n = a.n + b.n
    apart = a.total / a.n - b.total / b.n
    return Moments(
        n,
        a.total + b.total,
        a.spread + b.spread + apart**2 * (a.n * b.n / n),
        _least(a.minimum, b.minimum),
        _most(a.maximum, b.maximum),
    )


def add_counts(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Return the sums of two rows of counts; an empty row counts nothing."""
    if not a or not b:
        return list(a or b)
    return [x + y for x, y in zip(a, b, strict=True)]


def _least(*values: float | None) -> float | None:
    return min(_present(values), default=None)


def _most(*values: float | None) -> float | None:
    return max(_present(values), default=None)


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
