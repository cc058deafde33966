there_and_back <- function(frame) {
  folder <- tempfile()
  on.exit(unlink(folder, recursive = TRUE))
  write_table(frame, folder)
  read_table(folder)
}

test_that("a table comes back as it went", {
  frame <- data.frame(
    x = c(0.1, NA, -0), n = c(1L, NA, .Machine$integer.max), yes = c(TRUE, NA, FALSE),
    text = c("\u65e5", NA, ""), level = factor(c("b", NA, "a"), c("b", "a", "never")),
    day = as.Date(c("2024-02-29", NA, "0001-01-01")),
    at = .POSIXct(c(1.000001, NA, -1), "UTC")
  )
  back <- there_and_back(frame)
  expect_identical(back, frame)
  expect_identical(1 / back$x[3], -Inf)
})

test_that("no rows and no columns are kept", {
  expect_identical(there_and_back(data.frame(x = double(), t = character())),
                   data.frame(x = double(), t = character()))
})

test_that("what has no place is named", {
  expect_error(write_table(data.frame(a = I(list(1))), tempfile()), "Column 'a' is of class",
               class = "tiltyard_invalid_input")
  bad <- data.frame(a = "\xff")
  expect_error(write_table(bad, tempfile()), "unknown encoding in row 1")
})
