"""Documents that cannot fall behind: settings, commands, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from typer.core import TyperCommand, TyperGroup

from tiltyard.cli.app import app
from tiltyard.settings import Section, Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(app)


def settings_of(section: BaseModel | None = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting's dotted name and default."""
    for name, field in (type(section) if section else Settings).model_fields.items():
        default = getattr(section, name) if section else field.default
        if isinstance(default, Section):
            yield from settings_of(default, f"{prefix}{name}.")
        else:
            yield (
                f"{prefix}{name}",
                str(default).lower() if isinstance(default, bool) else str(default),
            )


def commands_in(page: Path) -> list[str]:
    """Return the lines of a page's shell blocks that call the command line."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("tiltyard ")]


def parse(line: str) -> None:
    """Let the command line parse a line without running it."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = COMMANDS
    while isinstance(command, TyperGroup):
        assert words[0] in command.commands, f"no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize(("name", "default"), list(settings_of()))
def test_every_setting_is_documented(name: str, default: str) -> None:
    """docs/settings.md has a row with the name and the default of each setting."""
    text = (ROOT / "docs/settings.md").read_text()
    shown = f"`{default}`" if default else "(empty)"
    assert f"| `{name}` | {shown} |" in text


def test_no_documented_setting_is_gone() -> None:
    """docs/settings.md names no setting that does not exist."""
    text = (ROOT / "docs/settings.md").read_text()
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    assert named == {name for name, _ in settings_of()}


@pytest.mark.parametrize(
    "line", [pytest.param(line, id=f"{p.name}: {line}") for p in PAGES for line in commands_in(p)]
)
def test_documented_commands_exist(line: str) -> None:
    """Each `tiltyard` line of the documents is one that the command line accepts."""
    parse(line)


def test_every_command_has_an_example() -> None:
    """`--help` of each command shows how it is used."""
    missing = [
        " ".join(path) for path, command in walk(COMMANDS) if "Example" not in (command.help or "")
    ]
    assert not missing


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that lead to it."""
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from walk(child, (*path, name))
    else:
        assert isinstance(command, TyperCommand)
        yield path, command


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links and pictures of the documents exist."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
