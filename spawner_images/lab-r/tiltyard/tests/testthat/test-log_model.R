test_that("the earlier rows are those of time", {
  data <- data.frame(at = .POSIXct(c(3, 1, 2, 5, 4), "UTC"), y = 1:5)
  expect_identical(earlier_rows(data, "at", "y", "regression", 0.4), c(2L, 3L, 1L))
  expect_identical(earlier_rows(data, NULL, "y", "regression", 0.2), 1:4)
  expect_null(earlier_rows(data, NULL, "y", "regression", 0))
  expect_null(earlier_rows(data, NULL, "y", "regression", 1))
  expect_null(earlier_rows(data.frame(y = c("a", "a", "b")), NULL, "y", "classification", 0.3))
})

test_that("fit sees what a scorer makes", {
  data <- data.frame(x = c(NaN, 1), o = factor(c("a", "b"), ordered = TRUE))
  data$at <- as.POSIXct("2024-01-01 12:00", tz = "America/New_York")
  served <- as_served(data)
  expect_true(is.na(served$x[1]) && !is.nan(served$x[1]))
  expect_false(is.ordered(served$o))
  expect_identical(attr(served$at, "tzone"), "UTC")
})

test_that("a function keeps only what it names", {
  make <- function() {
    large <- 1:10
    factor <- 2
    function(model, newdata) factor * newdata$x
  }
  kept <- trimmed(make())
  expect_identical(ls(environment(kept)), "factor")
  expect_identical(kept(NULL, list(x = 3)), 6)
})

test_that("classes are those that occur", {
  data <- data.frame(y = c("b", "a"), z = factor(c("b", "b"), c("a", "b")))
  expect_identical(with_classes(data, "y")$y, factor(c("b", "a"), c("a", "b")))
  expect_identical(levels(with_classes(data, "z")$z), "b")
  expect_identical(with_classes(data.frame(y = 1:2), "y")$y, 1:2)
})
