"""``log_model`` in R: every kind of model becomes a version that Python judges and serves."""

from pathlib import Path

import numpy as np
import pytest

from support.r import R
from tiltyard.packaging.folder import verify_folder
from tiltyard.scoring.tables import read_table

pytestmark = pytest.mark.slow

DATA = """
set.seed(1)
n <- 400
rides <- data.frame(
  at = as.POSIXct("2024-01-01", tz = "UTC") + 3600 * seq_len(n),
  x = rnorm(n), huge = 1e300 * runif(n), tiny = 5e-324 * seq_len(n), k = sample(9L, n, TRUE),
  id = 2^31 + seq_len(n), yes = runif(n) > 0.5, day = as.Date("2024-01-01") + seq_len(n),
  weather = factor(sample(c("sonnig", "Bö", "雨"), n, TRUE), c("雨", "Bö", "sonnig", "nie"))
)
rides$x[3] <- NA
rides$bikers <- 10 * rides$k + ifelse(is.na(rides$x), 0, rides$x) + as.integer(rides$weather)
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """The folder of a run without a control."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def log(r: R, run_dir: Path, code: str) -> Path:
    """Log a model in a run; return the version's folder."""
    r.run(
        DATA + code,
        run_dir.parent,
        {"TILTYARD_RUN_DIR": str(run_dir), "TILTYARD_HOME": str(run_dir.parent / "nowhere")},
    )
    return run_dir / "version"


def test_a_version_repeats_what_the_notebook_predicted(r: R, run_dir: Path) -> None:
    """To the last bit, on rows with missing values, factors, tiny, huge and long numbers."""
    folder = log(
        r,
        run_dir,
        """
        library(rpart)
        logged <- log_model(
          function(data) rpart(bikers ~ ., data, control = rpart.control(cp = 0)), rides,
          model = "bikes", target = "bikers", task = "regression", event_time = "at",
          parameters = list(cp = 0), description = "a tree"
        )
        stopifnot(is.null(logged$version), is.numeric(logged$metrics$rmse))
        own <- predict(logged$fitted, rides)
        writeBin(as.double(own), "own.bin")
        """,
    )
    manifest = verify_folder(folder)
    assert (manifest.language, manifest.engine) == ("r", "r")
    assert manifest.dtypes["id"] == "double"
    assert {c.name: c.type.value for c in manifest.signature.inputs} == {
        "x": "float64",
        "huge": "float64",
        "tiny": "float64",
        "k": "int64",
        "id": "float64",
        "yes": "bool",
        "day": "date",
        "weather": "category",
    }
    weather = manifest.signature.inputs[-1]
    assert weather.levels == ("雨", "Bö", "sonnig", "nie")
    assert manifest.libraries["rpart"]
    assert manifest.parameters == {"cp": 0}
    own = np.fromfile(run_dir.parent / "own.bin")
    past = read_table(folder / "history_predictions.arrow")["value"].to_numpy()
    assert past.tobytes() == own.tobytes()


KINDS = """
rides$late <- factor(ifelse(rides$bikers > 55, "spät", "früh"))
rides$x[3] <- 0
inputs <- c("x", "k", "yes", "weather")
here <- Sys.getenv("TILTYARD_RUN_DIR")
log <- function(name, fit, target, ...) {
  Sys.setenv(TILTYARD_RUN_DIR = file.path(here, name))
  dir.create(file.path(here, name))
  task <- if (is.factor(rides[[target]])) "classification" else "regression"
  log_model(
    fit, rides, model = "bikes", target = target, task = task, features = inputs, check = FALSE, ...
  )
}
log("glm", function(data) glm(late ~ ., binomial, data), "late")
log("ranger", function(data) {
  ranger::ranger(late ~ ., data, probability = TRUE, num.trees = 5, num.threads = 1)
}, "late")
log("glmnet", function(data) {
  x <- model.matrix(~ ., data[inputs])[, -1]
  glmnet::glmnet(x, data$bikers, lambda = 0.1)
}, "bikers")
log("labels", function(data) levels(data$late)[[1]], "late", predict = function(model, newdata) {
  rep(model, nrow(newdata))
})
writeLines("twice <- function(x) 2 * x", "helper.R")
source("helper.R")
log("own", function(data) structure(list(), class = "mine"), "bikers",
    predict = function(model, newdata) twice(newdata$k), code = "helper.R")
"""


def test_every_kind_of_model(r: R, run_dir: Path) -> None:
    """Probabilities have the classes' names; a function of the user's own takes its helpers."""
    log(r, run_dir, KINDS)
    found = {path.name: verify_folder(path / "version") for path in run_dir.iterdir()}
    for name, manifest in found.items():
        classes = None if manifest.task.value == "regression" else ("früh", "spät")
        assert manifest.signature.output.classes == classes, name
        assert manifest.metrics, name
        weather = manifest.signature.inputs[-1]
        copes = name in {"labels", "own"}
        assert weather.unknown.value == ("pass" if copes else "refuse"), name
    gives = {name for name, manifest in found.items() if manifest.signature.output.probabilities}
    assert gives == {"glm", "ranger"}
    assert "code/helper.R" in found["own"].files


ERRORS = """
told <- function(...) tryCatch(
  log_model(..., model = "bikes", target = "bikers", task = "regression"),
  error = function(error) cat(class(error)[1], conditionMessage(error), "\\n")
)
linear <- function(data) lm(bikers ~ k + weather, data)
told(lm(bikers ~ k, rides), rides)
told(linear, rides, features = "nothing")
told(linear, rides, unknown_levels = c(weather = "pass"))
told(linear, rides, features = c("k", "weather"), code = "nowhere.R")
told(linear, rides, features = c("k", "weather"), holdout = 1)
hidden <- function(x) x
told(linear, rides, features = c("k", "weather"), holdout = 0,
     predict = function(model, newdata) hidden(newdata$k))
rides$list <- as.list(rides$k)
told(linear, rides)
rides$list <- NULL
told(function(data) stop("so nicht"), rides)
told(linear, rides, features = c("k", "weather"), holdout = 0, check = FALSE)
told(linear, rides, features = c("k", "weather"), holdout = 0, check = FALSE)
"""

SAID = (
    ("tiltyard_invalid_input", "Give fit as a function of the data"),
    ("simpleError", "object 'k' not found"),
    ("tiltyard_invalid_input", "unknown_levels gives 'weather' 'pass', but the estimator"),
    ("tiltyard_invalid_input", "code names nowhere.R, which is no file here"),
    ("tiltyard_invalid_input", "holdout=1 of 400 rows leaves nothing on one side"),
    ("tiltyard_invalid_input", 'could not find function "hidden"'),
    ("tiltyard_invalid_input", "Column 'list' is of class list"),
    ("simpleError", "so nicht"),
    ("tiltyard_conflict", "This run has logged a version already"),
)


def test_what_cannot_be_logged_says_why(r: R, run_dir: Path) -> None:
    """And what to do; the one before the last is logged."""
    environment = {"TILTYARD_RUN_DIR": str(run_dir), "TILTYARD_HOME": str(run_dir / "nowhere")}
    said = r.run(DATA + ERRORS, run_dir.parent, environment).splitlines()
    lines = [line for line in said if line.startswith(("tiltyard_", "simpleError"))]
    assert len(lines) == len(SAID), said
    for line, (kind, words) in zip(lines, SAID, strict=True):
        assert line.startswith(kind)
        assert words in line
    assert verify_folder(run_dir / "version").metrics == {}
