"""What the page writes: numbers, sentences, choices, panels."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tiltyard.errors import (
    ControlAwayError,
    ForbiddenError,
    InvalidInputError,
    UnauthenticatedError,
    UnavailableError,
)
from tiltyard.monitor import charts, decisions, judgement
from tiltyard.monitor.alerts import UNEXPECTED, Alerts, sentence_for
from tiltyard.monitor.fields import chosen
from tiltyard.monitor.source import Choice, Look
from tiltyard.monitor.wording import MINUS, NOTHING, change, clock, count, metric, number
from tiltyard.types.monitor import Axis, Line, Overview, Resolution, Series, Source
from tiltyard.types.registry import Model, Principal, Scope, Thresholds
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task

NOW = datetime(2024, 5, 1, 14, 3, 7, tzinfo=UTC)
HOUR = 3_600_000_000
ME = Principal(name="ann", groups=("lab",), scopes=(Scope.SCIENTIST,))


def make_model(task: Task = Task.REGRESSION, champion: int | None = 1) -> Model:
    """Return a model of the group lab with columns of three kinds."""
    columns = (
        Column(name="load", type=ColumnType.FLOAT64),
        Column(name="part", type=ColumnType.CATEGORY, levels=("day", "night")),
        Column(name="at", type=ColumnType.DATETIME),
    )
    return Model(
        name="gate",
        number=1,
        task=task,
        owner_group="lab",
        call_schema=CallSchema(
            columns=columns, target="speed", target_type=ColumnType.FLOAT64, event_time="at"
        ),
        thresholds=Thresholds(metric="mae", min_rows=10),
        champion=champion,
        created_at=NOW,
        created_by="ann",
    )


def make_look(
    model: Model, *, live_mae: float = 12.0, rows: int = 20, me: Principal = ME, **more: object
) -> Look:
    """Return a look at version 1 with a mean absolute error of 10 on its hold-out."""
    overview = Overview(
        model=model,
        versions=(),
        standings=(),
        oldest=NOW,
        newest=NOW,
        counts={"predictions": 30},
        runs=(),
        last_change=None,
    )
    report = {"metrics": {"mae": live_mae}, "rows": rows, "approximate": {}}
    fields: dict[str, object] = {"hold_out": {"mae": 10.0}, "metrics": {1: report}, **more}
    return Look((model,), Choice("gate"), me, overview, 1, **fields)  # type: ignore[arg-type]  # fields of a Look


def make_series(
    source: Source, at: tuple[int, ...], variable: str = "load", axis: Axis = Axis.TIME
) -> Series:
    """Return a series of one line that counts up."""
    line = Line(name=variable, value=tuple(float(i) for i in range(len(at))))
    return Series(
        model="gate",
        version=1,
        variable=variable,
        source=source,
        axis=axis,
        resolution=Resolution.ROW,
        rows=len(at),
        at=at,
        lines=(line,),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING),
        (float("nan"), NOTHING),
        (0.0, "0"),
        (0.0123449, "0.01234"),
        (12.345, "12.35"),
        (-3.14159, f"{MINUS}3.142"),
        (1_234_567.8, "1,234,568"),
    ],
)
def test_numbers_have_four_digits(value: float | None, text: str) -> None:
    """Large ones are grouped, undefined ones a dash."""
    assert number(value) == text


def test_shares_are_percentages_and_changes_are_relative() -> None:
    """A change from nothing is none."""
    assert metric("mape", 0.1234) == "12.3 %"
    assert metric("mae", 0.1234) == "0.1234"
    assert (change(10, 12), change(10, 8), change(0, 8), change(None, 1)) == (
        "+20 %",
        f"{MINUS}20 %",
        "",
        "",
    )
    assert (count(1, "row"), count(6_552, "row")) == ("1 row", "6,552 rows")
    assert clock(NOW) == "2024-05-01 14:03 UTC"
    assert clock(datetime.now(UTC)).count("-") == 0


def test_each_error_has_a_sentence() -> None:
    """What to do, or when the page tries again; the unexpected is told in general only."""
    away = sentence_for(ControlAwayError("http://c", "refused"), NOW, 30)
    assert away == "Control does not answer; trying again at 14:03:37 UTC."
    hub = sentence_for(UnavailableError("The hub is away."), NOW, 30)
    assert hub == "The hub is away. Trying again at 14:03:37 UTC."
    late = sentence_for(
        UnauthenticatedError("This page has been open for too long: reload it."), NOW, 30
    )
    assert late == "This page has been open for too long: reload the page."
    assert sentence_for(ForbiddenError("ann may not."), NOW, 30) == "ann may not."
    assert "14:03:37" in sentence_for(TimeoutError(), NOW, 30)
    assert sentence_for(KeyError("secret"), NOW, 30) == UNEXPECTED


def test_a_refresh_keeps_what_an_action_was_told() -> None:
    """Each is taken away by its own success."""
    alerts = Alerts()
    alerts.tell("act", "Not allowed.")
    assert alerts.tell("look", "Control is away.") == "Control is away. Not allowed."
    assert alerts.tell("look", "") == "Not allowed."
    assert alerts.tell("act", "") == ""


def test_another_model_begins_with_its_champion_and_target() -> None:
    """The window stays; a version is a number or the champion."""
    old = Choice("gate", 2, "load", "7d")
    assert chosen(old, {"model": "bikes"}) == Choice("bikes", None, "", "7d")
    assert chosen(old, {"version": "3"}) == Choice("gate", 3, "load", "7d")
    assert chosen(old, {"version": ""}) == Choice("gate", None, "load", "7d")


@pytest.mark.parametrize(
    ("live_mae", "rows", "words", "degraded"),
    [
        (12.0, 20, "20 % worse than on the hold-out; up to 25 % worse is accepted", False),
        (13.0, 20, "30 % worse than on the hold-out", True),
        (5.0, 20, "50 % better than on the hold-out", False),
        (99.0, 9, "10 rows with an actual are needed to judge; there are 9", False),
    ],
)
def test_the_threshold_judges(live_mae: float, rows: int, words: str, *, degraded: bool) -> None:
    """By the hold-out, and only with enough rows."""
    finding = judgement.judged(make_look(make_model(), live_mae=live_mae, rows=rows))
    assert words in finding[0]
    assert finding[1] is degraded


def test_a_bias_is_judged_by_its_size() -> None:
    """From -10 to 5 it is better."""
    assert judgement.verdict("bias", -10.0, 5.0) == "better"
    assert judgement.verdict("r2", 0.9, 0.5) == "worse"
    assert judgement.verdict("mae", 10.0, 10.1) == ""


def test_missing_data_say_what_to_do() -> None:
    """No model, no version, no data, no actuals."""
    assert "tiltyard run" in charts.nothing(Look((), Choice(), ME))
    model = make_model(champion=None)
    assert "no call has come" in charts.nothing(make_look(model))
    unversioned = replace(make_look(model), version=None)
    assert "tiltyard run train gate" in charts.nothing(unversioned)
    assert "No actuals yet" in judgement.caption(make_look(model, rows=0))


def test_history_and_live_share_an_axis_of_time() -> None:
    """One panel, with the place where live data begin; rows without times are another panel."""
    model = make_model()
    history = make_series(Source.HISTORY, (0, HOUR))
    live = make_series(Source.LIVE, (2 * HOUR, 3 * HOUR))
    (panel,) = charts.panels(make_look(model, history=history, live=live))
    assert panel["split"] == 7200.0
    assert [part["x"] for part in panel["parts"]] == [[0.0, 3600.0], [7200.0, 10800.0]]
    assert panel["note"] == "History: each of 2 rows; live: each of 2 rows"
    numbered = make_series(Source.HISTORY, (0, 1), axis=Axis.ROW)
    panels = charts.panels(make_look(model, history=numbered, live=live))
    assert [p["time"] for p in panels] == [False, True]


def test_a_window_cuts_the_history_too() -> None:
    """What is before it is not drawn."""
    start = datetime.fromtimestamp(3600, UTC)
    history = make_series(Source.HISTORY, (0, HOUR))
    live = make_series(Source.LIVE, (2 * HOUR,))
    (panel,) = charts.panels(make_look(make_model(), history=history, live=live, start=start))
    assert [part["x"] for part in panel["parts"]] == [[3600.0], [7200.0]]


def test_units_follow_the_column() -> None:
    """Levels are shares, times are times."""
    units = {}
    for variable in ("load", "part", "at", "speed"):
        series = make_series(Source.LIVE, (HOUR,), variable)
        (panel,) = charts.panels(make_look(make_model(), live=series))
        units[variable] = panel["unit"]
    assert units == {"load": "number", "part": "share", "at": "time", "speed": "number"}


@pytest.mark.parametrize(
    ("me", "retrain", "promote"),
    [
        (ME, "", "Only a promoter may do this; ann is none."),
        (
            Principal(name="pat", groups=("others",), scopes=(Scope.PROMOTER,)),
            "Only the group lab may do this; pat is not in it.",
            "Only the group lab may do this; pat is not in it.",
        ),
        (Principal(name="olga", scopes=(Scope.OPERATOR,)), "", ""),
        (
            Principal(name="vera", scopes=(Scope.VIEWER,)),
            "Only a scientist may do this; vera is none.",
            "Only a promoter may do this; vera is none.",
        ),
    ],
)
def test_the_buttons_say_who_may(me: Principal, retrain: str, promote: str) -> None:
    """By role and by the model's group."""
    offer = decisions.offered(make_look(make_model(), me=me))
    assert (offer["retrain"], offer["promote"]) == (retrain, promote)


def test_a_message_must_hold_a_promotion() -> None:
    """Version, expected champion and reason; what is forged is refused."""
    assert decisions.asked({"version": 2, "expected": None, "reason": " so "}) == (2, None, "so")
    for wrong in ({}, {"version": "2", "reason": "x"}, {"version": 2, "expected": "1"}):
        with pytest.raises(InvalidInputError, match="challenger"):
            decisions.asked(wrong)
    with pytest.raises(InvalidInputError, match="Say why"):
        decisions.asked({"version": 2, "expected": 1, "reason": " "})
