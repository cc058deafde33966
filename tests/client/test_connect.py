"""Finding control and a token."""

from pathlib import Path

import pytest

from tiltyard.client.connect import connect
from tiltyard.errors import UnauthenticatedError
from tiltyard.settings import Settings


def header(settings: Settings) -> str:
    """Return the header that a connected client sends."""
    with connect(settings) as client:
        return client.transport.authorization or ""


def test_a_token_of_the_settings_goes_first(tmp_path: Path) -> None:
    """TILTYARD_CLIENT__TOKEN beats the file."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "cli").write_text("of the file\n")
    settings = Settings(home=tmp_path, client={"token": "of the settings"})
    assert header(settings) == "Bearer of the settings"


def test_the_local_token_is_read_from_the_home(tmp_path: Path) -> None:
    """Without a setting it is the one that `tiltyard up` has made."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "cli").write_text("of the file\n")
    assert header(Settings(home=tmp_path)) == "Bearer of the file"


def test_without_a_token_it_says_what_to_do(tmp_path: Path) -> None:
    """The sentence names the file, the command and the setting."""
    with pytest.raises(UnauthenticatedError, match="TILTYARD_CLIENT__TOKEN") as error:
        connect(Settings(home=tmp_path))
    assert str(tmp_path / "tokens" / "cli") in error.value.message
    assert "tiltyard up" in error.value.message
