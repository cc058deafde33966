"""The verbs of a notebook, against a real control."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tiltyard
from support.control import Control, add_version, bikes_frame, deploy
from tiltyard.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    LostRaceError,
    TiltyardError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
)
from tiltyard.types.registry import DeploymentState, Run, RunProgress


@pytest.fixture(autouse=True)
def notebook(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of an operator's notebook on the same machine."""
    settings = control.parts.settings
    monkeypatch.setenv("TILTYARD_HOME", str(settings.home))
    monkeypatch.setenv("TILTYARD_CLIENT__URL", control.url)
    settings.path("tokens").mkdir()
    settings.path("tokens", "cli").write_text(control.tokens["operator"] + "\n")


def write() -> str:
    """Write the history of bikes as a notebook does."""
    return tiltyard.write_history(
        "bikes", bikes_frame(), target="bikers", task="regression", event_time="at",
        owner_group="lab",
    ).digest  # fmt: skip


def test_a_history_is_written_and_read() -> None:
    """As a DataFrame that is exactly the one written; its digest goes along."""
    digest = write()
    frame = tiltyard.read_history("bikes")
    pd.testing.assert_frame_equal(frame, bikes_frame(), check_freq=False)
    assert frame.attrs["history_digest"] == digest


def test_a_history_is_cut_by_event_time() -> None:
    """Start is within, end is not; text is UTC; columns need not hold the time."""
    write()
    frame = tiltyard.read_history(
        "bikes", start="2024-01-01T01:00", end="2024-01-01T03:00+00:00", columns=["bikers"]
    )
    assert list(frame.columns) == ["bikers"]
    assert list(frame["bikers"]) == [10, 20]


def test_a_history_without_event_time_cannot_be_cut() -> None:
    """The sentence says so."""
    frame = bikes_frame().drop(columns="at")
    tiltyard.write_history("bikes", frame, target="bikers", task="regression")
    with pytest.raises(InvalidInputError, match="no event time"):
        tiltyard.read_history("bikes", start="2024-01-01")


def test_a_run_reads_the_snapshot_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written meanwhile."""
    first = write()
    tiltyard.write_history("bikes", bikes_frame(9), target="bikers", task="regression",
                           event_time="at")  # fmt: skip
    monkeypatch.setenv("TILTYARD_RUN_HISTORY", first)
    assert len(tiltyard.read_history("bikes")) == 6
    monkeypatch.delenv("TILTYARD_RUN_HISTORY")
    assert len(tiltyard.read_history("bikes")) == 9
    assert len(tiltyard.read_history("bikes", digest=first)) == 6


def test_a_run_leaves_word_of_the_history_it_wrote(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """history.json in the run's folder is what control answered."""
    monkeypatch.setenv("TILTYARD_RUN_DIR", str(tmp_path))
    digest = write()
    assert json.loads((tmp_path / "history.json").read_text())["digest"] == digest


def test_models_and_versions_are_frames(control: Control, tmp_path: Path) -> None:
    """Readable in a notebook, empty ones too."""
    assert list(tiltyard.models()["name"]) == []
    write()
    assert tiltyard.models().loc[0, "target"] == "bikers"
    assert tiltyard.versions("bikes").empty
    add_version(control, tmp_path / "v1")
    add_version(control, tmp_path / "v2", metrics={"rmse": 9.0, "confusion_matrix": [[1]]})
    deploy(control, 1)
    tiltyard.promote_version("bikes", 1, "first")
    frame = tiltyard.versions("bikes")
    assert list(frame["state"]) == ["champion", ""]
    assert list(frame["rmse"]) == [10.0, 9.0]
    assert tiltyard.models().loc[0, "champion"] == 1


def heal(control: Control, state: DeploymentState, reason: str | None = None) -> None:
    """Let the first deployment have a state, a little later."""

    def tell() -> None:
        registry = control.parts.registry
        while not (found := registry.deployments.list()):
            time.sleep(0.01)
        registry.deployments.set_state(found[0].id, state, reason)

    threading.Thread(target=tell).start()


def test_deploying_waits_until_it_is_healthy(control: Control, tmp_path: Path) -> None:
    """And returns the deployment."""
    write()
    add_version(control, tmp_path / "v1")
    heal(control, DeploymentState.HEALTHY)
    assert tiltyard.deploy_version("bikes", 1).state == "healthy"
    assert tiltyard.retire_version("bikes", 1).state == "retired"


def test_a_refused_deployment_raises_why(control: Control, tmp_path: Path) -> None:
    """The golden rows were not repeated."""
    write()
    add_version(control, tmp_path / "v1")
    heal(control, DeploymentState.REFUSED, "row 3 differs")
    with pytest.raises(ConflictError, match="row 3 differs"):
        tiltyard.deploy_version("bikes", 1)


def test_nobody_waits_for_ever(control: Control, tmp_path: Path) -> None:
    """A deployment that does not start is a time-out."""
    write()
    add_version(control, tmp_path / "v1")
    with pytest.raises(TimedOutError, match="not healthy after"):
        tiltyard.deploy_version("bikes", 1, timeout_s=0.1)


def test_promoting_and_rolling_back(control: Control, tmp_path: Path) -> None:
    """By default whoever is champion now is expected."""
    write()
    add_version(control, tmp_path / "v1", description="1")
    add_version(control, tmp_path / "v2", description="2")
    deploy(control, 1, 2)
    tiltyard.promote_version("bikes", 1, "first")
    tiltyard.promote_version("bikes", 2, "better")
    with pytest.raises(LostRaceError):
        tiltyard.promote_version("bikes", 1, "late", expected_champion=None)
    with pytest.raises(InvalidInputError, match="expected_champion"):
        tiltyard.promote_version("bikes", 1, "odd", expected_champion="two")
    assert tiltyard.rollback("bikes", "worse").entry.to_version == 1


def run_beside(control: Control, **end: Any) -> None:
    """Carry out the next run as a runner does."""

    def work() -> None:
        client = control.client("runner")
        while (claimed := client.claim_run("r", 30)) is None:
            time.sleep(0.01)
        run = claimed[0]
        client.update_run(run.id, progress=RunProgress(done=1, total=2, note="Fit"))
        client.update_run(run.id, **end)

    threading.Thread(target=work).start()


def test_training_is_followed_to_its_end(
    control: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is printed by cells; the ended run is returned."""
    run_beside(control, state="succeeded", version=1)
    run: Run = tiltyard.run_training("bikes", n_estimators=5)
    assert (run.version, run.request.parameters) == (1, {"n_estimators": 5})
    assert f"run {run.id} succeeded cell 1/2: Fit" in capsys.readouterr().out


def test_a_failed_training_raises_its_error(control: Control) -> None:
    """With the command that shows the log."""
    run_beside(control, state="failed", error="cell 3 raised ValueError: no")
    with pytest.raises(TiltyardError, match="cell 3 raised ValueError"):
        tiltyard.run_training("bikes")


def test_training_need_not_be_waited_for() -> None:
    """Then the queued run is returned."""
    assert tiltyard.run_training("bikes", wait=False).state == "queued"


class Gateway(BaseHTTPRequestHandler):
    """Speaks the gateway's protocol: a real one needs scorers, which tests of the loop start."""

    def do_POST(self) -> None:
        """Answer predictions and actuals for a token that the control of the test knows."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server: Any = self.server
        if not server.knows(self.headers["authorization"].removeprefix("Bearer ")):
            self._answer(401, {"error": {"code": "unauthenticated", "message": "Unknown."}})
        elif self.path.endswith("/predict"):
            server.rows += body["rows"]
            made = [{"id": f"i{n}", "value": 1.5} for n, _ in enumerate(body["rows"])]
            self._answer(200, {"model": "bikes", "version": 3, "predictions": made})
        else:
            server.actuals += body["actuals"]
            self._answer(202, {"accepted": len(body["actuals"])})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def gateway(control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A gateway that follows the routes of the test's control."""
    write()
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        told: Any = server
        told.rows, told.actuals, told.late = [], [], 0

        def knows(token: str) -> bool:
            told.late -= 1
            digest = hashlib.sha256(token.encode()).hexdigest()
            tokens = control.parts.registry.routes.table().tokens
            return told.late < 0 and digest in {known.sha256 for known in tokens}

        told.knows = knows
        monkeypatch.setenv("TILTYARD_CLIENT__GATEWAY_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def test_predicting_issues_a_token_once(control: Control, gateway: Any) -> None:
    """The library waits until the gateway knows it, and keeps it for later."""
    gateway.late = 3
    at = pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)
    frame = pd.DataFrame({"at": at, "temperature": [1.5, None]}, index=[4, 7])
    answers = tiltyard.predict_model("bikes", frame)
    assert list(answers.index) == [4, 7]
    assert list(answers["value"]) == [1.5, 1.5]
    assert list(answers["version"]) == [3, 3]
    assert gateway.rows == [
        {"at": "2024-01-01T00:00:00+00:00", "temperature": 1.5},
        {"at": "2024-01-02T00:00:00+00:00", "temperature": None},
    ]
    tiltyard.predict_model("bikes", [{"temperature": 2}])
    names = [token.name for token in control.client().tokens()]
    assert names.count("notebook-bikes") == 1
    kept = control.parts.settings.path("tokens", "application-bikes")
    assert kept.stat().st_mode & 0o077 == 0


def test_a_token_that_is_no_longer_known_is_issued_anew(control: Control, gateway: Any) -> None:
    """As after a restored registry."""
    control.parts.settings.path("tokens", "application-bikes").write_text("of yesterday")
    sent = tiltyard.send_actuals("bikes", [{"id": "i0", "value": 3}])
    assert sent == 1
    assert gateway.actuals == [{"id": "i0", "value": 3}]


def test_a_token_of_the_settings_is_used_as_it_is(
    control: Control, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its refusal is told."""
    monkeypatch.setenv("TILTYARD_CLIENT__APPLICATION_TOKEN", "mine")
    with pytest.raises(UnauthenticatedError, match="Unknown"):
        tiltyard.predict_model("bikes", [{"temperature": 2}])
    issued = control.client().issue_token("shop", ["bikes"]).token
    monkeypatch.setenv("TILTYARD_CLIENT__APPLICATION_TOKEN", issued)
    assert len(tiltyard.predict_model("bikes", [{"temperature": 2}])) == 1


def test_many_rows_go_in_parts(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of gateway.max_rows each."""
    monkeypatch.setenv("TILTYARD_GATEWAY__MAX_ROWS", "2")
    assert len(tiltyard.predict_model("bikes", [{"x": i} for i in range(5)])) == 5


def test_infinity_is_refused_before_it_is_sent(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON cannot say it."""
    with pytest.raises(InvalidInputError, match="'temperature' holds an infinite number"):
        tiltyard.predict_model("bikes", pd.DataFrame({"temperature": [float("inf")]}))


def test_who_may_not_issue_tokens_is_told_whom_to_ask(
    control: Control, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scientist is handed a token by an operator."""
    monkeypatch.setenv("TILTYARD_CLIENT__TOKEN", control.tokens["scientist"])
    with pytest.raises(ForbiddenError, match="ask an operator"):
        tiltyard.predict_model("bikes", [{"temperature": 2}])


def test_a_gateway_that_is_away_is_told_as_such(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its URL."""
    monkeypatch.setenv("TILTYARD_CLIENT__APPLICATION_TOKEN", "mine")
    monkeypatch.setenv("TILTYARD_CLIENT__GATEWAY_URL", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"gateway at http://127\.0\.0\.1:9"):
        tiltyard.predict_model("bikes", [{"temperature": 2}])
