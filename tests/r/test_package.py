"""The R package's own tests."""

from pathlib import Path

import pytest

from support.r import PACKAGE, R


@pytest.mark.slow
def test_the_packages_own_tests(r: R, tmp_path: Path) -> None:
    """Testthat stops at a failure."""
    folder = PACKAGE / "tests" / "testthat"
    code = f"""testthat::test_dir(
      "{folder}", package = "tiltyard", load_package = "installed", stop_on_failure = TRUE,
      reporter = "summary"
    )"""
    r.run(code, tmp_path)
