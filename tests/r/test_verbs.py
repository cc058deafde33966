"""The verbs in R against a real control: same results, same sentences as in Python."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import tiltyard
from support.control import Control, bikes_frame, make_home, serve
from support.r import R

pytestmark = pytest.mark.slow

SESSION = """
rides <- data.frame(
  at = as.POSIXct("2024-01-01", tz = "UTC") + 3600 * 0:5, temperature = c(0, NA, 1, 1.5, 2, 2.5),
  weather = factor(rep(c("rain", "sun"), 3)), bikers = 10L * 0:5
)
told <- write_history("bikes", rides, target = "bikers", task = "regression", event_time = "at")
cat(told$digest, told$rows, "\\n")
back <- read_history("bikes")
stopifnot(
  identical(attr(back, "history_digest"), told$digest),
  identical(back$temperature, rides$temperature), identical(back$weather, rides$weather),
  identical(back$bikers, rides$bikers), all(back$at == rides$at)
)
late <- read_history("bikes", start = "2024-01-01T04:00Z", columns = "bikers")
stopifnot(identical(names(late), "bikers"), identical(late$bikers, c(40L, 50L)))
known <- models()
stopifnot(known$name == "bikes", is.na(known$champion), is.integer(known$champion))
stopifnot(nrow(versions("bikes")) == 0)
told <- function(code) tryCatch(code, tiltyard_error = function(error) {
  cat(class(error)[1], conditionMessage(error), "\\n")
})
told(read_history("nobody"))
told(deploy_version("bikes", 7))
told(promote_version("bikes", 7, "try", expected_champion = NULL))
told(rollback("bikes", "try"))
run <- run_training("nothing", wait = FALSE, depth = 3L, share = 1 / 3, levels = c("a", "b"))
stopifnot(
  identical(run$state, "queued"), identical(run$request$parameters$depth, 3L),
  identical(run$request$parameters$share, 1 / 3),
  identical(run$request$parameters$levels, c("a", "b"))
)
print(run)
told(run_training("nothing", 3))
told(write_history("bikes", list(1), "bikers", "regression"))
lasting <- data.frame(at = as.difftime(1, units = "secs"))
told(write_history("bikes", lasting, "bikers", "regression"))
told(read_lake("DELETE FROM rides"))
Sys.setenv(TILTYARD_CLIENT__TOKEN = "wrong")
told(models())
Sys.setenv(TILTYARD_CLIENT__URL = "http://127.0.0.1:1")
told(models())
rows <- read_lake("SELECT 1 AS n, 0.1 AS x, 'ü' AS text, NULL AS none, :a AS a", list(a = 5))
stopifnot(
  identical(rows$n, 1L), identical(rows$x, 0.1), identical(rows$text, "ü"), is.na(rows$none),
  rows$a == 5
)
"""


TOLD = """
tiltyard_not_found There is no model 'nobody'. Known: bikes.
tiltyard_not_found There is no version 'bikes 7'.
tiltyard_forbidden scientist may not do this: it needs the scope promoter, and the token has \
scientist.
tiltyard_forbidden scientist may not do this: it needs the scope promoter, and the token has \
scientist.
tiltyard_invalid_input Give every parameter by its name, such as n_estimators = 100.
tiltyard_invalid_input Give a data frame, not list.
tiltyard_invalid_input Column 'at' is of class difftime, which has no place in a history: make it \
numbers, logicals, text, a factor, dates (as.Date) or times (as.POSIXct).
tiltyard_invalid_input The data lake is read-only: begin with SELECT or WITH, not 'DELETE'.
tiltyard_unauthenticated Nobody knows this token: it is mistyped, revoked or of a past run.
tiltyard_control_away Control at http://127.0.0.1:1 does not answer ([Errno 111] Connection \
refused). Is `tiltyard up` running?
"""
"""What R's conditions say, by class and sentence."""


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A control for the module."""
    with serve(make_home(tmp_path_factory.mktemp("verbs") / "home")) as served:
        yield served


def test_verbs_and_their_errors(
    r: R, control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session tries them all; Python reads what R wrote and agrees to the digest."""
    sqlite3.connect(tmp_path / "lake.db").close()
    environment = {
        "TILTYARD_CLIENT__URL": control.url,
        "TILTYARD_CLIENT__TOKEN": control.tokens["scientist"],
        "TILTYARD_LAKE__URL": f"sqlite:///{tmp_path / 'lake.db'}",
    }
    said = r.run(SESSION, tmp_path, environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    written = tiltyard.read_history("bikes")
    pd.testing.assert_frame_equal(written, bikes_frame(), check_dtype=False)
    again = tiltyard.write_history(
        "bikes", bikes_frame(), target="bikers", task="regression", event_time="at"
    )
    lines = [line.strip() for line in said.splitlines()]
    assert lines[0] == f"{again.digest} 6"
    assert [line for line in lines if line.startswith("tiltyard_")] == TOLD.splitlines()[1:]
