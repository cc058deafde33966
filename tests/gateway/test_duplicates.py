"""A key given twice is found in any JSON text, and only there."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiltyard.errors import InvalidInputError
from tiltyard.gateway.duplicates import refuse_duplicates

TEXTS = st.text(alphabet='":\\{}[], \n\té🐎ab/0', max_size=12)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), min_size=1, max_size=4)
SPACES = st.sampled_from(["", " ", "\n", "\t ", " \r\n"])


def spelled(draw: Any, text: str) -> str:
    """Return a JSON text of a text, some of whose characters are escaped though they need not."""
    escapes = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    one_by_one = [
        "".join(f"\\u{unit:04x}" for unit in units(c)) if escape else json.dumps(c)[1:-1]
        for c, escape in zip(text, escapes, strict=True)
    ]
    return f'"{"".join(one_by_one)}"'


def units(character: str) -> list[int]:
    """Return a character's UTF-16 code units."""
    raw = character.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


@st.composite
def bodies(draw: Any) -> tuple[str, int, str | None]:
    """Return a body, how many keys it has if none is twice, and the place of one that is."""
    rows = draw(ROWS)
    twice = draw(st.none() | st.integers(0, len(rows) - 1))
    texts, place = [], None
    for i, row in enumerate(rows):
        members = list(row.items())
        if i == twice:
            key = draw(st.sampled_from(sorted(row)))
            members.insert(draw(st.integers(0, len(members))), (key, draw(VALUES)))
            place = f"rows[{i}].{key}"
        before, behind = draw(SPACES), draw(SPACES)
        pairs = [f"{spelled(draw, k)}{before}:{behind}{json.dumps(v)}" for k, v in members]
        texts.append("{" + ",".join(pairs) + "}")
    return f'{{"rows":[{",".join(texts)}]}}', 1 + sum(map(len, rows)), place


@given(bodies())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_key_given_twice_is_found_and_nothing_else(body: tuple[str, int, str | None]) -> None:
    """However keys are spelled and whatever stands in texts."""
    text, distinct, place = body
    if place is None:
        refuse_duplicates(text.encode(), distinct, "rows")
        return
    with pytest.raises(InvalidInputError) as refused:
        refuse_duplicates(text.encode(), distinct, "rows")
    assert refused.value.message == f"{place}: is given twice"
