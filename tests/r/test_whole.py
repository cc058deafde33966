"""From R through a whole Tiltyard: every verb, and the answers of the gateway to the bit."""

from pathlib import Path

import pytest

from loop.yard import Yard
from support.r import R

SESSION = """
set.seed(1)
n <- 300
rides <- data.frame(
  at = .POSIXct(1.7e9 + 3600 * seq_len(n), "UTC"), x = rnorm(n), id = 2^31 + seq_len(n),
  weather = factor(sample(c("Bö", "雨"), n, TRUE))
)
rides$late <- factor(ifelse(rides$x + (rides$weather == "雨") > 0, "ja", "nein"))
written <- write_history("rides", rides, "late", "classification", "at")

forest <- function(data) {
  ranger::ranger(late ~ x + weather, data, probability = TRUE, num.trees = 20, num.threads = 1)
}
inputs <- c("x", "weather")
one <- log_model(forest, model = "rides", features = inputs)
two <- log_model(
  function(data) rpart::rpart(late ~ ., data), model = "rides", features = inputs, check = FALSE
)
stopifnot(one$version == 1, two$version == 2, one$metrics$accuracy > 0.8)
for (version in 1:2) stopifnot(deploy_version("rides", version)$state == "healthy")
stopifnot(promote_version("rides", 1, "erste", NULL)$entry$to_version == 1)

asked <- rides[1:50, c("at", "x", "weather", "id")]
said <- predict_model("rides", asked)
own <- predict(one$fitted, asked, num.threads = 1)$predictions
stopifnot(
  identical(unname(said$probabilities[, colnames(own)]), unname(own)), all(said$version == 1),
  identical(send_actuals("rides", data.frame(id = said$id, value = rides$late[1:50])), 50L)
)
cat(tryCatch(
  predict_model("rides", transform(asked[1, ], weather = "Nebel")),
  tiltyard_invalid_input = conditionMessage
), "\\n")

stopifnot(promote_version("rides", 2, "zweite")$entry$from_version == 1)
stopifnot(rollback("rides", "zurück")$entry$to_version == 1, models()$champion == 1)
stopifnot(retire_version("rides", 2)$state == "retired")
known <- versions("rides")
stopifnot(known$engine == "r", identical(known$state[1], "champion"))
"""


@pytest.mark.slow
def test_every_verb_against_a_whole_tiltyard(r: R, tmp_path: Path) -> None:
    """Log, deploy, promote, predict, actuals, roll back, retire."""
    yard = Yard(tmp_path)
    try:
        yard.start()
        names = ("HOME", "CONFIG", "CONTROL__PORT", "GATEWAY__PORT")
        settings = {f"TILTYARD_{name}": yard.environment[f"TILTYARD_{name}"] for name in names}
        said = r.run(SESSION, tmp_path, settings)
    finally:
        yard.stop()
    assert "rows[0].weather: 'Nebel' is no known level; known: Bö, 雨" in said
