"""R notebooks executed by papermill: parameters arrive, and every bad end is a failure."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from support.r import R
from support.training import make_pipeline
from tiltyard.errors import InvalidInputError, UnavailableError
from tiltyard.settings import Settings
from tiltyard.training import r_process
from tiltyard.training.execute import Outcome, execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.pipelines import declared_parameters, language_of, read_notebook
from tiltyard.training.places import place_of
from tiltyard.training.processes import members
from tiltyard.training.r_code import RTranslator
from tiltyard.training.r_defaults import UNKNOWN, assigned

GIVEN: dict[str, Any] = {
    "text": "Wälder \"x\"\n\\ {n} 'q' \U0001f332\t",
    "whole": 7,
    "long": 2**53,
    "part": 0.1 + 0.2,
    "tiny": 5e-324,
    "large": 1.7976931348623157e308,
    "zero": -0.0,
    "yes": True,
    "none": None,
    "numbers": [1, None, 3],
    "mixed": [1, 2.5],
    "words": ["a", None, "ü"],
    "several": ["a", 1, [2.5]],
    "named": {"k": {"é": False}, "": 1},
    "empty": [],
    "nothing": {},
}

CHECK = r"""
stopifnot(
  identical(text, "W\u00e4lder \"x\"\n\\ {n} 'q' \U0001f332\t"), identical(whole, 7L),
  identical(long, 2^53), identical(part, 0.1 + 0.2), tiny > 0, tiny / 2 == 0,
  identical(large, .Machine$double.xmax), identical(1 / zero, -Inf), identical(yes, TRUE),
  is.null(none), identical(numbers, c(1L, NA, 3L)), identical(mixed, c(1, 2.5)),
  identical(words, c("a", NA, "\u00fc")), identical(several, list("a", 1L, 2.5)),
  identical(named, setNames(list(list("\u00e9" = FALSE), 1L), c("k", ""))),
  identical(empty, list()), length(nothing) == 0
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run's folder whose name would be a format string to papermill."""
    return RunFolder(tmp_path / "run {x} ü")


def run(
    r: R,
    folder: RunFolder,
    cells: Sequence[str],
    given: Mapping[str, Any] | None = None,
    timeout_s: float = 60,
) -> Outcome:
    """Execute an R notebook of these cells."""
    given = given or {}
    source = "\n".join(f"{name} <- 0" for name in given)
    root = folder.path.parent / "pipelines"
    notebook = make_pipeline(root, cells, source, language="r")
    place = place_of(Settings(), "r")
    return execute(place, notebook, given, folder, environment=r.environment, timeout_s=timeout_s)


@pytest.mark.slow
def test_parameters_arrive_as_they_were_given(
    r: R, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the type and the bit."""
    monkeypatch.setenv("R_LIBS", str(r.library))
    outcome = run(r, folder, [CHECK, "cat('printed \\u00fc')", "library(tiltyard)"], GIVEN)
    assert outcome.error is None
    assert "printed ü" in folder.log.read_text()
    assert members(folder.path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("quit(status = 3)", ["the notebook exited at cell 2"]),
        (
            'f <- function(x) stop("so ist es: ü")\nf(1)',
            ["Error in f(1): so ist es: ü (cell 2)", "Traceback:", "f(1)"],
        ),
        ("tools::pskill(Sys.getpid(), 9)", ["the kernel died at cell 2"]),
        ("this is no R", ["unexpected symbol", "this is"]),
        ("Sys.sleep(60)", ["timed out after 8 s"]),
    ],
)
def test_every_bad_end_is_a_failure(
    r: R, folder: RunFolder, cell: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With R's own words; no later cell runs, no process is left."""
    monkeypatch.setenv("R_LIBS", str(r.library))
    cells = ["x <- 1", cell, "cat('never')"]
    outcome = run(r, folder, cells, timeout_s=8 if "sleep" in cell else 60)
    assert outcome.error is not None
    for words in told:
        assert words in outcome.error
    assert "never" not in folder.log.read_text()
    assert members(folder.path) == []


def test_a_host_without_r_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is executed."""
    r_process.installed_r.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="apt-get install r-base-core"):
        place_of(Settings(), "r")
    found = r_process.Installed("R version 4", {"IRkernel": "1"})
    monkeypatch.setattr(r_process, "installed_r", _Cached(found))
    with pytest.raises(UnavailableError, match="R CMD INSTALL"):
        place_of(Settings(), "r")


class _Cached:
    def __init__(self, found: r_process.Installed) -> None:
        self._found = found

    def __call__(self) -> r_process.Installed:
        return self._found

    def cache_clear(self) -> None:
        """Forget nothing."""


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Inf"),
        (100.0, "100"),
        (date(2024, 2, 29), 'as.Date("2024-02-29")'),
        (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), '.POSIXct(1, "UTC")'),
        ([2**31, None], "c(2147483648, NA)"),
        ([None], "list(NULL)"),
    ],
)
def test_values_in_rs_language(value: Any, code: str) -> None:
    """Those that JSON cannot hold, too."""
    assert RTranslator.translate(value) == code


@pytest.mark.parametrize("value", [2**53 + 1, "a\0b", datetime(2024, 1, 1)])  # noqa: DTZ001
def test_what_r_has_not_is_refused(value: Any) -> None:
    """With a sentence."""
    with pytest.raises(InvalidInputError):
        RTranslator.translate(value)


DEFAULTS = """
model = "bike\\"share\\u00fc"  # a comment with = and (
trees <- 100L
share <- -.5e1 # c(
hex <- 0x10L
until <- NULL
yes <- TRUE
levels <- c("a",  # one
            'b', NA)
options <- list(depth = 3L, "min leaf" = 5, part = c(1, 2))
none <- c()
computed <- Sys.Date()
more <- 1 + 2
half <- c(1, b = 2)
if (x == 1) y
  indented <- 5
"""


def test_defaults_of_an_r_notebook() -> None:
    """Literals, however they are written; what is computed is known by name."""
    assert assigned(DEFAULTS) == {
        "model": 'bike"shareü',
        "trees": 100,
        "share": -5.0,
        "hex": 16,
        "until": None,
        "yes": True,
        "levels": ["a", "b", None],
        "options": {"depth": 3, "min leaf": 5.0, "part": [1.0, 2.0]},
        "none": [],
        "computed": UNKNOWN,
        "more": UNKNOWN,
        "half": UNKNOWN,
        "indented": 5.0,
    }


def test_types_of_an_r_notebooks_parameters(tmp_path: Path) -> None:
    """A number may be whole; a vector may be a single value."""
    notebook = make_pipeline(tmp_path, ["x"], DEFAULTS, language="r")
    content = read_notebook(notebook.path)
    assert language_of(content) == "r"
    declared = declared_parameters(content)
    assert declared["share"].types == ("float",)
    assert declared["trees"].types == ("int",)
    assert declared["levels"].types == ()
    assert not declared["computed"].literal
    assert json.dumps(declared["options"].default)
