"""The verbs in R against a real control: same results, same sentences as in Python."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import tiltyard
from support.control import Control, bikes_frame, make_home, serve
from support.r import R

pytestmark = pytest.mark.slow

HISTORY = """
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
told(run_training("nothing", wait = FALSE))
told(run_training("nothing", 3))
told(write_history("bikes", list(1), "bikers", "regression"))
told(write_history("bikes", data.frame(at = as.difftime(1, units = "secs")), "bikers", "regression"))
told(read_lake("DELETE FROM rides"))
Sys.setenv(TILTYARD_CLIENT__TOKEN = "wrong")
told(models())
Sys.setenv(TILTYARD_CLIENT__URL = "http://127.0.0.1:1")
told(models())
print(read_lake("SELECT 1 AS n, 0.1 AS x, 'ü' AS text, NULL AS nothing, :a AS a", list(a = 5)))
"""


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A control for the module."""
    with serve(make_home(tmp_path_factory.mktemp("verbs") / "home")) as served:
        yield served


def test_verbs_and_their_errors(
    r: R, control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session tries them all; Python reads what R wrote and agrees to the digest."""
    import sqlite3  # noqa: PLC0415

    sqlite3.connect(tmp_path / "lake.db").close()
    environment = {
        "TILTYARD_CLIENT__URL": control.url,
        "TILTYARD_CLIENT__TOKEN": control.tokens["scientist"],
        "TILTYARD_LAKE__URL": f"sqlite:///{tmp_path / 'lake.db'}",
    }
    said = r.run(HISTORY, tmp_path, environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    written = tiltyard.read_history("bikes")
    pd.testing.assert_frame_equal(written, bikes_frame(), check_dtype=False)
    again = tiltyard.write_history(
        "bikes", bikes_frame(), target="bikers", task="regression", event_time="at"
    )
    lines = [line.strip() for line in said.splitlines()]
    assert lines[0] == f"{again.digest} 6"
    for line in (
        "tiltyard_not_found There is no model 'nobody'. Known: bikes.",
        "tiltyard_invalid_input Give every parameter by its name, such as n_estimators = 100.",
        "tiltyard_invalid_input Give a data frame, not list.",
        "tiltyard_invalid_input The data lake is read-only: begin with SELECT or WITH, "
        "not 'DELETE'.",
    ):
        assert line in lines, said
    print(said)
    raise AssertionError
