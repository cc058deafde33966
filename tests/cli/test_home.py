"""The home folder: format, lock, tokens."""

import os
import stat
from pathlib import Path

import pytest

from tiltyard.cli.home import holder, locked, make_home, make_token
from tiltyard.cli.registry import prepare_registry
from tiltyard.errors import ConflictError
from tiltyard.registry import open_registry
from tiltyard.settings import Settings, load_settings
from tiltyard.types.registry import Scope


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a home that is not there yet."""
    return load_settings(home=tmp_path / "home")


def test_a_new_home_gets_a_format(settings: Settings) -> None:
    """Making it twice changes nothing."""
    assert make_home(settings) == make_home(settings)
    assert settings.path("format").read_text() == "1\n"
    assert stat.S_IMODE(settings.path().stat().st_mode) == 0o700


def test_a_home_of_another_format_is_refused(settings: Settings) -> None:
    """It is left alone, and the message says what to do."""
    make_home(settings)
    settings.path("format").write_text("7\n")
    with pytest.raises(ConflictError, match=r"format '7'.*TILTYARD_HOME"):
        make_home(settings)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "file").touch()
    with pytest.raises(ConflictError, match="file cannot be used"):
        make_home(load_settings(home=tmp_path / "file"))


def test_one_up_for_a_home(settings: Settings) -> None:
    """A second one is told who holds the folder; after the first it gets it."""
    home = make_home(settings)
    assert holder(home) is None
    with locked(home):
        assert holder(home) == str(os.getpid())
        with pytest.raises(ConflictError, match=rf"pid {os.getpid()}"), locked(home):
            pass
    with locked(home):
        pass
    assert holder(home) is None


def test_tokens_are_made_once_for_their_user_only(tmp_path: Path) -> None:
    """Their text stays, nobody else reads the file."""
    text = make_token(tmp_path / "tokens", "cli")
    assert make_token(tmp_path / "tokens", "cli") == text
    assert make_token(tmp_path / "tokens", "gateway") != text
    path = tmp_path / "tokens" / "cli"
    assert path.read_text() == f"{text}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_registry_knows_the_local_tokens(settings: Settings) -> None:
    """Each has its scopes; preparing again keeps them."""
    make_home(settings)
    for _ in range(2):
        prepare_registry(settings)
    with open_registry(settings.registry_url) as registry:
        assert len(registry.tokens.list()) == 4
        for name, scope in (("cli", Scope.OPERATOR), ("gateway", Scope.GATEWAY)):
            text = settings.path("tokens", name).read_text().strip()
            principal = registry.tokens.principal(text)
            assert principal is not None
            assert scope in principal.scopes
