"""A whole Tiltyard with its hub, shared by the tests that leave it as it was."""

from collections.abc import Generator, Iterator

import pytest

from support.people import PeopledYard


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledYard]:
    """Give a running Tiltyard in which vera, sam, pat and olga have a role each."""
    yard = PeopledYard(tmp_path_factory.mktemp("site"))
    try:
        yard.start()
        yard.add_people()
        yield yard
    finally:
        yard.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of a site whose test failed."""
    report = yield
    for argument in getattr(item, "funcargs", {}).values():
        if report.failed and hasattr(argument, "logs"):
            report.sections.append(("logs", argument.logs()))
    return report
