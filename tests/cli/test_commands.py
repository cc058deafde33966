"""The command line without anything running: help, usage, sentences, exit codes."""

import json
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tiltyard.cli.app import app
from tiltyard.cli.session import parse_parameters, parse_time
from tiltyard.errors import InvalidInputError

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home of its own; nothing listens on its ports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TILTYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TILTYARD_CONFIG", str(tmp_path / "tiltyard.toml"))
    monkeypatch.setenv("TILTYARD_CONTROL__PORT", "1")
    monkeypatch.setenv("TILTYARD_GATEWAY__PORT", "2")
    monkeypatch.setenv("TILTYARD_HUB__ENABLED", "false")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def commands() -> list[list[str]]:
    """Return the words of every command."""
    top = typer.main.get_command(app)
    found = []
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [[name]] if below is None else [[name, other] for other in below]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str]) -> None:
    """The help says what it does and shows one call of this very command."""
    result = RUNNER.invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"tiltyard {' '.join(words)}" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["absent"],
        ["promote", "bikeshare", "one", "--reason", "x"],
        ["promote", "bikeshare", "1"],
        ["deploy", "bikeshare", "0"],
        ["run", "train", "bikeshare", "-p", "novalue"],
        ["run", "train", "bikeshare", "--timeout", "-1"],
        ["run", "train", "No Name"],
        ["metrics", "bikeshare", "--start", "yesterday"],
        ["metrics", "bikeshare", "--source", "dreams"],
        ["predict", "bikeshare", "absent.json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(words: list[str]) -> None:
    """What cannot be used is said on stderr, before anything is asked of control."""
    RUNNER.invoke(app, ["init"])
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr


def test_a_mistyped_parameter_exits_2_at_once(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a run is queued, and with the names that there are."""
    monkeypatch.setenv("TILTYARD_PIPELINES__PATH", str(Path(__file__).parents[2] / "pipelines"))
    result = RUNNER.invoke(app, ["run", "train", "bikeshare", "-p", "n_trees=5"])
    assert result.exit_code == 2
    assert "n_trees" in result.stderr
    assert "n_estimators" in result.stderr


def test_control_away_exits_5(settings: Path) -> None:
    """A scheduler can tell it from a failure."""
    assert RUNNER.invoke(app, ["init"]).exit_code == 0
    for words in (["models"], ["run", "train", "x"], ["check", "x"], ["events"]):
        result = RUNNER.invoke(app, words)
        assert result.exit_code == 5, result.output
        assert "Is `tiltyard up` running?" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_without_a_token_the_message_says_where_one_comes_from(settings: Path) -> None:
    """A home that was never started has none."""
    result = RUNNER.invoke(app, ["models"])
    assert result.exit_code == 3
    assert "tiltyard up" in result.stderr


def test_settings_that_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the setting."""
    monkeypatch.setenv("TILTYARD_CONTROL__PORT", "many")
    result = RUNNER.invoke(app, ["models"])
    assert result.exit_code == 2
    assert "control.port" in result.stderr


def test_up_refuses_a_home_of_another_format(settings: Path) -> None:
    """It exits 3 and leaves the folder as it was."""
    settings.mkdir()
    (settings / "format").write_text("2\n")
    result = RUNNER.invoke(app, ["up"])
    assert result.exit_code == 3
    assert "format '2'" in result.stderr
    assert [path.name for path in settings.iterdir()] == ["format"]


def test_the_home_option_counts_more_than_the_environment(tmp_path: Path) -> None:
    """Flag > environment."""
    assert RUNNER.invoke(app, ["--home", str(tmp_path / "other"), "init"]).exit_code == 0
    assert (tmp_path / "other" / "registry.db").exists()


def test_doctor_names_what_is_missing_and_what_mends_it(settings: Path) -> None:
    """Before the first start nearly everything is missing."""
    result = RUNNER.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "✗ home" in result.output
    assert "→ tiltyard init" in result.output
    assert "→ tiltyard lake load" in result.output


def findings() -> dict[str, dict[str, object]]:
    """Return the doctor's findings by check."""
    result = RUNNER.invoke(app, ["doctor", "--json"])
    return {found["check"]: found for found in json.loads(result.stdout)}


def test_doctor_after_init(settings: Path, tmp_path: Path) -> None:
    """What is there now is well; what is not is still named."""
    RUNNER.invoke(app, ["init"])
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert RUNNER.invoke(app, ["lake", "load", "rows.csv"]).exit_code == 0
    found = findings()
    for check in ("Python", "packages", "home", "format", "disk", "sockets", "registry", "lake"):
        assert found[check]["ok"], found[check]
    assert (
        found["pipelines"]["mend"] == "set TILTYARD_PIPELINES__PATH to the folder of your pipelines"
    )
    assert found["tiltyard up"]["mend"] == "tiltyard up"


def test_doctor_finds_a_long_runtime_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets below it could not be bound."""
    monkeypatch.setenv("TILTYARD_RUNTIME_DIR", "/run/" + "x" * 60)
    assert "TILTYARD_RUNTIME_DIR" in str(findings()["sockets"]["mend"])


def test_doctor_finds_an_occupied_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TILTYARD_GATEWAY__PORT", str(taken.getsockname()[1]))
        found = findings()["gateway.port"]
    assert not found["ok"]
    assert "TILTYARD_GATEWAY__PORT" in str(found["mend"])


def test_doctor_looks_for_the_hubs_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the program and its Node, or what installs it."""
    monkeypatch.setenv("TILTYARD_HUB__ENABLED", "true")
    found = findings()["hub's proxy"]
    assert found["ok"], found
    assert "Node v" in str(found["what"])
    monkeypatch.setenv("TILTYARD_HUB__PROXY_COMMAND", "/no/such/proxy")
    found = findings()["hub's proxy"]
    assert not found["ok"]
    assert "/no/such/proxy" in str(found["what"])
    assert "npm install -g configurable-http-proxy@5" in str(found["mend"])


def test_doctor_finds_an_occupied_port_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the setting."""
    monkeypatch.setenv("TILTYARD_HUB__ENABLED", "true")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TILTYARD_HUB__API_PORT", str(taken.getsockname()[1]))
        found = findings()["hub.api_port"]
    assert not found["ok"]
    assert "TILTYARD_HUB__API_PORT" in str(found["mend"])


def test_doctor_with_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one finding then."""
    monkeypatch.setenv("TILTYARD_GATEWAY__PORT", "x")
    assert list(findings()) == ["settings"]


def test_lake_query_prints_rows(tmp_path: Path) -> None:
    """As a table and as JSON; a statement that writes is refused."""
    (tmp_path / "rows.csv").write_text("a,b\n1,x\n2,y\n")
    RUNNER.invoke(app, ["lake", "load", "rows.csv"])
    assert "y" in RUNNER.invoke(app, ["lake", "query", "SELECT * FROM rows"]).stdout
    result = RUNNER.invoke(app, ["lake", "query", "--json", "SELECT a FROM rows"])
    assert json.loads(result.stdout) == [{"a": 1}, {"a": 2}]
    assert RUNNER.invoke(app, ["lake", "query", "DROP TABLE rows"]).exit_code == 2


def test_parameters_are_json_or_text() -> None:
    """Numbers, booleans, null and lists are read; all else is text."""
    given = ["n=200", "rate=0.1", "warm=true", "name=forest", "edges=[1, 2]", "text=a=b"]
    assert parse_parameters(given) == {
        "n": 200,
        "rate": 0.1,
        "warm": True,
        "name": "forest",
        "edges": [1, 2],
        "text": "a=b",
    }
    for wrong in (["n"], ["=1"], ["n=1", "n=2"]):
        with pytest.raises(InvalidInputError):
            parse_parameters(wrong)


def test_times_without_an_offset_are_utc() -> None:
    """A date is its first moment."""
    at = parse_time("2012-04-01", "--start")
    assert at is not None
    assert at.isoformat() == "2012-04-01T00:00:00+00:00"
    assert parse_time(None, "--start") is None


def test_ledger_verify_needs_no_control() -> None:
    """It opens the registry itself."""
    RUNNER.invoke(app, ["init"])
    result = RUNNER.invoke(app, ["ledger", "verify"])
    assert result.exit_code == 0
    assert RUNNER.invoke(app, ["ledger", "verify", "absent"]).exit_code == 3
