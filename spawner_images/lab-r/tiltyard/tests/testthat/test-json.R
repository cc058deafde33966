test_that("values keep their kind and every bit", {
  expect_equal(to_json(list(a = 1L, b = NULL, c = c(1, NA), d = I(1L))), '{"a":1,"b":null,"c":[1,null],"d":[1]}')
  expect_equal(to_json(0.1), "0.10000000000000001")
  expect_equal(to_json(c(Inf, -Inf, NaN)), "[Infinity,-Infinity,NaN]")
  expect_equal(to_json(c(TRUE, NA)), "[true,null]")
  expect_equal(to_json("\u00fc\n\"q\""), "\"\u00fc\\n\\\"q\\\"\"")
  expect_equal(to_json(character()), "[]")
  expect_equal(to_json(named(list())), "{}")
  expect_equal(to_json(c(weather = "pass")), '{"weather":"pass"}')
  expect_equal(to_json(as.Date("2024-02-29")), '"2024-02-29"')
  expect_equal(to_json(factor("b")), '"b"')
})

test_that("parameters have names", {
  expect_error(named(list(3)), class = "tiltyard_invalid_input")
})
