"""Commands against a real control: what they print and how they exit."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from support.control import (
    Control,
    add_version,
    deploy,
    log_rows,
    make_home,
    serve,
    write_bikes,
)
from tiltyard.cli.app import app
from tiltyard.training.follow import TIMED_OUT
from tiltyard.types.registry import RunState, Thresholds

RUNNER = CliRunner()


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """Return a control with two deployed versions of bikes; the CLI is its operator."""
    settings = make_home(tmp_path / "home", control={"confirm_timeout_s": 0.2})
    monkeypatch.setenv("TILTYARD_HOME", str(settings.home))
    monkeypatch.setenv("TILTYARD_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("COLUMNS", "220")
    with serve(settings) as served:
        monkeypatch.setenv("TILTYARD_CLIENT__URL", served.url)
        monkeypatch.setenv("TILTYARD_CLIENT__TOKEN", served.tokens["operator"])
        digest = write_bikes(served)
        add_version(served, tmp_path / "v1", history=digest, metrics={"rmse": 2.0})
        add_version(served, tmp_path / "v2", history=digest, metrics={"rmse": 1.0})
        deploy(served, 1, 2)
        yield served


def cli(*words: str, exits: int = 0) -> Result:
    """Run a command, which must exit so."""
    result = RUNNER.invoke(app, words)
    assert result.exit_code == exits, (result.output, result.exception)
    return result


def promoted(version: int, *words: str) -> str:
    """Promote a version of bikes."""
    return cli("promote", "bikes", str(version), "--reason", "better", *words).stdout


def test_lists_are_tables_and_json(control: Control) -> None:
    """The same documents in both."""
    promoted(1)
    assert [m["champion"] for m in json.loads(cli("models", "--json").stdout)] == [1]
    assert "bikes" in cli("models").stdout
    shown = cli("versions", "bikes").stdout
    assert "champion" in shown
    assert "healthy" in shown
    assert [v["version"] for v in json.loads(cli("versions", "bikes", "--json").stdout)] == [1, 2]
    assert "healthy" in cli("deployments").stdout
    assert "bikers" in cli("history", "bikes").stdout
    assert json.loads(cli("history", "bikes", "--json").stdout)["rows"] == 6
    assert "No gateway is registered." in cli("gateway", "list").stdout


def test_promote_and_roll_back(control: Control) -> None:
    """Each says who answers now; who expected somebody else is told and nothing changes."""
    assert "version 1 is champion, after nobody" in promoted(1, "--expect", "0")
    assert "version 2 is champion, after version 1" in promoted(2, "--expect", "1")
    lost = cli("promote", "bikes", "1", "--expect", "1", "--reason", "late", exits=3)
    assert "somebody else changed it" in lost.stderr
    assert "version 1 is champion" in cli("rollback", "bikes", "--reason", "worse").stdout
    entries = json.loads(cli("ledger", "show", "bikes", "--json").stdout)
    assert [entry["to_version"] for entry in entries] == [1, 2, 1]
    assert "worse" in cli("ledger", "show", "bikes").stdout


def test_a_gateway_that_does_not_confirm_is_named(control: Control) -> None:
    """The promotion is done, the silent gateway is told on stderr."""
    control.client("gateway").register_gateway("north", "http://localhost", "spool-1")
    result = cli("promote", "bikes", "1", "--reason", "first")
    assert "Not confirmed yet by north" in result.stderr
    assert "north" in cli("gateway", "list").stdout
    cli("gateway", "remove", "north")
    assert "No gateway" in cli("gateway", "list").stdout


@pytest.mark.parametrize("words", [("promote", "bikes", "9"), ("promote", "absent", "1")])
def test_promoting_what_is_not_there(control: Control, words: tuple[str, ...]) -> None:
    """It exits 3 with one sentence."""
    result = cli(*words, "--reason", "x", exits=3)
    assert len(result.stderr.splitlines()) == 1
    assert "There is no" in result.stderr


def test_promoting_what_is_not_deployed(control: Control, tmp_path: Path) -> None:
    """The sentence names the command that deploys it."""
    add_version(control, tmp_path / "v3", metrics={"rmse": 3.0})
    result = cli("promote", "bikes", "3", "--reason", "x", exits=3)
    assert "tiltyard deploy bikes 3" in result.stderr


def test_deploy_and_retire(control: Control, tmp_path: Path) -> None:
    """Waiting ends with the deployment's state; a refused one exits 3 and says why."""
    version = add_version(control, tmp_path / "v3", metrics={"rmse": 3.0})
    cli("deploy", "bikes", str(version), "--no-wait")
    deployment = next(d for d in control.client().deployments("bikes") if d.version == version)
    control.client().set_deployment(deployment.id, "refused", "row 3 is 1.0 instead of 2.0")
    again = threading.Timer(0.5, lambda: _set_newest(control, "refused", "row 3 differs"))
    again.start()
    assert "row 3 differs" in cli("deploy", "bikes", str(version), exits=3).stderr
    again.join()
    cli("retire", "bikes", str(version))
    assert str(deployment.id) not in cli("deployments").stdout
    assert str(deployment.id) in cli("deployments", "--all").stdout


def _set_newest(control: Control, state: str, reason: str) -> None:
    newest = control.client().deployments("bikes")[-1]
    control.client().set_deployment(newest.id, state, reason)


def test_ledger_verify_finds_an_edited_row(control: Control, tmp_path: Path) -> None:
    """It names the entry and exits 1; the doctor finds it too."""
    promoted(1)
    promoted(2)
    assert "Whole: bikes" in cli("ledger", "verify").stdout
    with sqlite3.connect(tmp_path / "home" / "registry.db") as database:
        database.execute("UPDATE ledger SET reason = 'mine' WHERE number = 1")
    database.close()
    assert "Entry 1 of bikes's ledger was edited" in cli("ledger", "verify", exits=1).stderr
    findings = json.loads(cli("doctor", "--json", exits=1).stdout)
    assert "edited" in next(f["what"] for f in findings if f["check"] == "ledger")


def test_ledger_verify_finds_a_cut_tail(control: Control, tmp_path: Path) -> None:
    """By the head in the route table that the gateway keeps on its disk."""
    promoted(1)
    promoted(2)
    table = control.client("gateway").routes()
    assert table is not None
    (tmp_path / "home" / "routes.json").write_text(table.model_dump_json())
    with sqlite3.connect(tmp_path / "home" / "registry.db") as database:
        database.execute("DELETE FROM ledger WHERE number = 2")
        database.execute("UPDATE champions SET version = 1")
    database.close()
    assert "was cut" in cli("ledger", "verify", "bikes", exits=1).stderr


class Webhook(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    posted: list[Any]

    def do_POST(self) -> None:
        """Take a report."""
        length = int(self.headers["content-length"])
        self.posted.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """Return the URL of a webhook and what it was told."""
    posted: list[Any] = []
    handler = type("Handler", (Webhook,), {"posted": posted})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", posted
        server.shutdown()
        thread.join()


def test_check_tells_the_webhook_of_degrading(
    control: Control, webhook: tuple[str, list[Any]]
) -> None:
    """Exit 1 and one POST when it degrades; exit 0 and none when it does not."""
    url, posted = webhook
    promoted(1)
    control.client().patch_model("bikes", thresholds=Thresholds(metric="rmse", min_rows=2))
    cli("thresholds", "bikes", "--webhook", url, "--max-worsening", "0.5")
    log_rows(control, [(10.0, 12.0), (20.0, 22.0)])
    assert "does not degrade" in cli("check", "bikes").stdout
    assert not posted
    log_rows(control, [(10.0, 90.0), (20.0, 95.0)], first=11)
    report = json.loads(cli("check", "bikes", "--json", exits=1).stdout)
    assert report["degraded"]
    assert [(told["model"], told["report"]["degraded"]) for told in posted] == [("bikes", True)]


def test_a_deaf_webhook_changes_no_exit_code(control: Control) -> None:
    """It is told on stderr."""
    promoted(1)
    thresholds = Thresholds(metric="rmse", min_rows=1, webhook="http://127.0.0.1:1/")
    control.client().patch_model("bikes", thresholds=thresholds)
    log_rows(control, [(10.0, 90.0)])
    assert "was not told" in cli("check", "bikes", exits=1).stderr


def test_metrics_of_a_window(control: Control) -> None:
    """As a table and as JSON."""
    promoted(1)
    log_rows(control, [(10.0, 11.0), (20.0, 17.0)])
    assert "rmse" in cli("metrics", "bikes").stdout
    words = ("metrics", "bikes", "--start", "2024-02-01T01:00", "--json")
    assert json.loads(cli(*words).stdout)["rows"] == 1


def test_tokens_of_applications(control: Control) -> None:
    """Shown once, listed without their text, gone when revoked."""
    text = cli("token", "create", "shop", "bikes").stdout.strip()
    listed = cli("token", "list").stdout
    assert "shop" in listed
    assert text not in listed
    found = json.loads(cli("token", "list", "--json").stdout)
    mine = next(t["id"] for t in found if t["name"] == "shop")
    cli("token", "revoke", mine)
    assert "shop" not in cli("token", "list").stdout


def end_next_run(control: Control, **outcome: Any) -> threading.Thread:
    """Play the runner: claim the next run and end it so."""

    def work() -> None:
        client = control.client("runner")
        while (claimed := client.claim_run("test", 60)) is None:
            pass
        client.append_run_log(claimed[0].id, "cell 1\n")
        client.update_run(claimed[0].id, **outcome)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("outcome", "exits", "told"),
    [
        ({"state": RunState.SUCCEEDED, "version": 2}, 0, "version 2"),
        ({"state": RunState.FAILED, "error": "cell 3 raises"}, 3, "cell 3 raises"),
        ({"state": RunState.FAILED, "error": f"{TIMED_OUT} 5 s"}, 4, "timed out"),
        ({"state": RunState.CANCELLED}, 3, "cancelled"),
    ],
    ids=["succeeded", "failed", "timed out", "cancelled"],
)
def test_a_scheduler_can_trust_the_exit_code(
    control: Control, outcome: dict[str, Any], exits: int, told: str
) -> None:
    """It says how the run ended, and so does the last line."""
    runner = end_next_run(control, **outcome)
    result = cli("run", "train", "bikes", "-p", "n=3", "--log", exits=exits)
    runner.join()
    assert told in result.output
    assert "cell 1" in result.stderr
    run = json.loads(cli("runs", "--json").stdout)[0]
    assert run["request"]["parameters"] == {"n": 3}
    assert "cell 1" in cli("run", "log", run["id"]).stdout
    assert json.loads(cli("run", "show", run["id"]).stdout)["id"] == run["id"]


def test_a_run_that_nobody_waits_for(control: Control) -> None:
    """It is queued and can be cancelled."""
    assert "is queued" in cli("retrain", "bikes", "--no-wait").stdout
    run = json.loads(cli("runs", "--state", "queued", "--json").stdout)[0]
    assert (run["request"]["kind"], run["request"]["deploy"]) == ("retrain", True)
    cli("cancel", run["id"])
    assert "cancelled" in cli("runs").stdout


def test_events_end_when_nothing_more_happened(control: Control) -> None:
    """Without --follow; as sentences and as JSON lines."""
    promoted(1)
    assert "model.promoted" in cli("events").stdout
    lines = [json.loads(line) for line in cli("events", "--json").stdout.splitlines()]
    assert "model.promoted" in {line["kind"] for line in lines}
    last = lines[-1]["id"]
    assert cli("events", "--after", str(last)).stdout == ""


def test_progress_and_replay(control: Control) -> None:
    """A follower's cursor is shown and set back."""
    promoted(1)
    log_rows(control, [(10.0, 11.0), (20.0, 17.0)])
    assert "behind" in cli("progress", "bikes", "2").stdout
    assert json.loads(cli("progress", "bikes", "2", "--json").stdout)["behind"] == 2
    assert "scores again" in cli("replay", "bikes", "2", "--since", "2024-02-01").stdout


def test_who_may_not_is_told(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer cannot promote: exit 3, one sentence."""
    monkeypatch.setenv("TILTYARD_CLIENT__TOKEN", control.tokens["viewer"])
    assert cli("promote", "bikes", "1", "--reason", "x", exits=3).stderr
    monkeypatch.setenv("TILTYARD_CLIENT__TOKEN", "nobody")
    assert cli("models", exits=3).stderr


def test_doctor_finds_what_is_not_well(control: Control) -> None:
    """A refused deployment and a run without a runner, each with the command that mends it."""
    deployment = control.client().deployments("bikes")[0]
    control.client().set_deployment(deployment.id, "refused", "row 3 differs")
    cli("run", "train", "bikes", "--no-wait")
    claimed = control.client("runner").claim_run("test", 60)
    assert claimed is not None
    words = ("doctor", "--json")
    found = {f["check"]: f for f in json.loads(cli(*words, exits=1).stdout)}
    refused = found["deployment of bikes version 1"]
    assert "row 3 differs" in refused["what"]
    assert "tiltyard retire bikes 1" in refused["mend"]
    assert found["runs"]["ok"]
    with sqlite3.connect(control.parts.settings.path("registry.db")) as database:
        database.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 60000000")
    database.close()
    found = {f["check"]: f for f in json.loads(cli(*words, exits=1).stdout)}
    assert found[f"run {claimed[0].id}"]["mend"] == f"tiltyard cancel {claimed[0].id}"
