"""Recomputes summaries from raw rows, to compare with those that are kept.

Nothing here is Tiltyard's; a summary is what its MessagePack says.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from support.raw import Key, Raw

WIDTHS = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


class Edges(NamedTuple):
    """Bin edges of the inputs by column, and of the outputs by version."""

    inputs: Mapping[str, Sequence[float]]
    outputs: Mapping[int, Sequence[float]]


class Made(NamedTuple):
    """What a version made of a row, and what was true."""

    value: Any
    refused: bool
    actual: Any


def check_summaries(raw: Raw, edges: Edges, classes: Sequence[Any] = ()) -> int:
    """Compare every kept summary with the rows; return how many were compared.

    Minutes of several chunks are added up first, by the numbers that add up.
    """
    expected = {
        (granularity, version, at): group
        for granularity, width in WIDTHS.items()
        for (version, at), group in _groups(raw, width).items()
    }
    kept: dict[tuple[str, int, int], list[Any]] = defaultdict(list)
    for version, at, summary in raw.minutes:
        kept["minute", version, at].append(summary)
    for key, summary in raw.rollups.items():
        kept[key].append(summary)
    assert kept.keys() == expected.keys()
    for key, group in expected.items():
        _compare(kept[key], group, key, edges, classes)
    return len(expected)


def _groups(raw: Raw, width: int) -> dict[tuple[int, int], list[Any]]:
    """Return the rows of each bucket: as sent for version 0, as made for the others."""
    groups: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for key, row in raw.predictions.items():
        at = row.at // width * width
        actual = raw.actuals.get(key)
        groups[0, at].append(row.row)
        groups[row.version, at].append(Made(row.value, False, actual))
        for version, score in _scores_of(raw, key):
            refused = score["refusal"] is not None
            groups[version, at].append(Made(score["value"], refused, actual))
    return groups


def _scores_of(raw: Raw, key: Key) -> Iterable[tuple[int, dict[str, Any]]]:
    for version in sorted({version for version, _, _ in raw.scores}):
        score = raw.scores.get((version, *key))
        if score is not None:
            yield version, score


def _compare(
    kept: list[Any], group: list[Any], key: tuple[str, int, int], edges: Edges, classes: Any
) -> None:
    version = key[1]
    assert sum(summary.get("rows", 0) for summary in kept) == len(group), key
    if version == 0:
        for column in kept[0]["inputs"]:
            parts = [summary["inputs"][column] for summary in kept]
            values = [row.get(column) for row in group]
            _compare_column(parts, values, edges.inputs.get(column, ()), key)
        return
    assert sum(s.get("refusals", 0) for s in kept) == sum(made.refused for made in group), key
    if classes:
        _compare_classes([s["classes"] for s in kept], group, classes, key)
    else:
        outputs = [s["output"] for s in kept]
        _compare_column(outputs, [m.value for m in group], edges.outputs[version], key)
        _compare_errors([s["errors"] for s in kept], group, key)


def _compare_column(
    parts: list[Any], values: list[Any], edges: Sequence[float], key: object
) -> None:
    present = [value for value in values if value is not None]
    assert _sum(parts, "n") == len(present), key
    assert _sum(parts, "missing") == len(values) - len(present), key
    if present and not isinstance(present[0], str):
        total = sum(part.get("moments", {}).get("total", 0.0) for part in parts)
        assert total == pytest.approx(math.fsum(present), rel=1e-9, abs=1e-9), key
        counts = np.sum([part.get("counts") or [0] * (len(edges) + 1) for part in parts], axis=0)
        if edges:
            assert counts.tolist() == _histogram(present, edges), key
    if present and isinstance(present[0], str):
        levels: dict[str, int] = defaultdict(int)
        for part in parts:
            for level, n in part.get("levels", {}).items():
                levels[level] += n
        assert sum(levels.values()) + _sum(parts, "other") in {0, len(present)}, key
        assert all(n == present.count(level) for level, n in levels.items()), key


def _histogram(values: list[float], edges: Sequence[float]) -> list[int]:
    inside, _ = np.histogram(values, edges)
    below = sum(value < edges[0] for value in values)
    above = sum(value > edges[-1] for value in values)
    return [below, *inside.tolist(), above]


def _compare_errors(parts: list[Any], group: list[Made], key: object) -> None:
    judged = [m for m in group if m.actual is not None and m.value is not None]
    errors = [m.value - m.actual for m in judged]
    assert sum(p.get("actual", {}).get("n", 0) for p in parts) == len(judged), key
    for name, expected in (
        ("error", math.fsum(errors)),
        ("absolute", math.fsum(map(abs, errors))),
        ("squared", math.fsum(e * e for e in errors)),
    ):
        assert _sum(parts, name) == pytest.approx(expected, rel=1e-9, abs=1e-9), (key, name)


def _compare_classes(parts: list[Any], group: list[Made], classes: Any, key: object) -> None:
    confusion = np.sum([part["confusion"] for part in parts], axis=0)
    for i, truth in enumerate(classes):
        for j, predicted in enumerate(classes):
            n = sum(m.actual == truth and m.value == predicted for m in group)
            assert confusion[i][j] == n, (key, truth, predicted)


def _sum(parts: list[Any], name: str) -> Any:
    return sum(part.get(name, 0) for part in parts)
