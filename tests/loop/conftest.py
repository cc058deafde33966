"""A running Tiltyard with a champion and two challengers; how many rounds there are."""

import tarfile
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from loop.yard import Yard, docker_settings, wait_for
from support.yard import MODEL, TARGET, Versions, history
from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches
from tiltyard.settings import Settings

ROUNDS, ALL_ROUNDS = 2, 20

HEALTHY_S = 240.0

Furnish = Callable[[Yard, int], str]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for a ``seed`` its rounds."""
    if "seed" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        metafunc.parametrize("seed", range(ALL_ROUNDS if long else ROUNDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of a yard whose test failed."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.failed and "yard" in arguments:
        report.sections.append(("logs of the yard", arguments["yard"].logs()))
    return report


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Give the versions' folders."""
    return Versions(tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="session")
def furnish(versions: Versions) -> Furnish:
    """Give a function that deploys the first versions, promotes 1, and returns a token."""

    def deploy(yard: Yard, count: int) -> str:
        with yard.client() as client:
            schema, batches = to_batches(history())
            client.put_history(MODEL, schema, batches, task="regression", target=TARGET)
            for version in range(1, count + 1):
                assert _add(client, versions.folder(version)) == version
                client.deploy(MODEL, version, engine="sklearn")
            wait_for(lambda: _all_healthy(client), HEALTHY_S, "healthy deployments")
            client.promote(MODEL, 1, None, "the first champion")
            return client.issue_token("load", [MODEL]).token

    return deploy


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Give a running Tiltyard with nothing in it."""
    yard = Yard(tmp_path_factory.mktemp("yard"))
    try:
        yard.start()
        yield yard
    finally:
        yard.stop()


@pytest.fixture(scope="session")
def docker_yard(tmp_path_factory: pytest.TempPathFactory, images_lock: Path) -> Iterator[Yard]:
    """Give one whose scorers are containers."""
    yard = Yard(tmp_path_factory.mktemp("docker"), **docker_settings(images_lock))
    try:
        yard.start()
        yield yard
    finally:
        yard.stop()
    assert not Settings(home=yard.home).sockets.exists()  # nor is anything mounted there


@pytest.fixture(scope="session")
def docker_token(docker_yard: Yard, furnish: Furnish) -> str:
    """Furnish it with three versions; give the application's token."""
    return furnish(docker_yard, 3)


@pytest.fixture(scope="session")
def token(yard: Yard, furnish: Furnish) -> str:
    """Furnish it with three versions; give the application's token."""
    return furnish(yard, 3)


def _add(client: ControlClient, folder: Path) -> int:
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                tar.add(path, path.relative_to(folder).as_posix())
        file.seek(0)
        return client.add_version(MODEL, file).version


def _all_healthy(client: ControlClient) -> bool:
    deployments = client.deployments(MODEL)
    bad = [d for d in deployments if d.state in {"refused", "failed"}]
    assert not bad, bad
    return all(d.state == "healthy" for d in deployments)
