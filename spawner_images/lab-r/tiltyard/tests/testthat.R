testthat::test_check("tiltyard")
