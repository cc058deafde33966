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
