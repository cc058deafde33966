"""The gateway and a real control: registration, routes, promotion, control away, clean stop."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.control import Control, make_home, serve, tar_of
from support.gateway import Gateway, Scorer
from support.yard import LEVELS, MODEL, TARGET, Versions
from tiltyard.gateway.saved import load_routes, longest
from tiltyard.types.registry import DeploymentState, LedgerHead
from tiltyard.types.routes import ModelRoute, RouteTable
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task

pytestmark = pytest.mark.slow

ROW = {"x": 1.0, "y": 0.5, "part": "noon"}
NOBODY = "http://127.0.0.1:9"


class Yard(NamedTuple):
    """A control with two deployed versions, and a gateway that is not started."""

    control: Control
    gateway: Gateway
    token: str

    def predict(self, **row: Any) -> tuple[int, dict[str, Any]]:
        """Send a row; return status and document."""
        body = {"rows": [row or ROW]}
        answer = self.gateway.post(MODEL, "predict", body, self.token)
        return answer.status_code, answer.json()

    def promote(self, version: int) -> tuple[str, ...]:
        """Promote, if it is not champion; return which gateways had not confirmed."""
        client = self.control.client("operator")
        champion = client.model(MODEL).champion
        if champion == version:
            return ()
        return client.promote(MODEL, version, champion, "a test").waiting_for


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A control whose two versions of the model are healthy."""
    folder = tmp_path_factory.mktemp("deployed")
    versions = Versions(folder)
    settings = make_home(folder / "c")
    with ExitStack() as stack:
        control = stack.enter_context(serve(settings))
        make_model(control)
        for version in (1, 2):
            built = versions.folder(version)
            control.client("scientist").add_version(MODEL, tar_of(built))
            deployment = control.client("scientist").deploy(MODEL, version)
            path = Path(deployment.endpoints[0].removeprefix("unix:"))
            path.parent.mkdir(parents=True)
            scorer = Scorer(built, "sklearn", path, version)
            stack.callback(scorer.kill)
            scorer.start()
            control.client().set_deployment(deployment.id, DeploymentState.HEALTHY)
        yield control


@pytest.fixture
def yard(deployed: Control, tmp_path: Path) -> Iterator[Yard]:
    """That control, and a new gateway with a spool of its own; version 1 is champion."""
    token = deployed.client().issue_token("application", [MODEL]).token
    gateway = new_gateway(tmp_path / "g", deployed)
    for name in [g.name for g in deployed.client().gateways()]:
        deployed.client().remove_gateway(name)
    yard = Yard(deployed, gateway, token)
    yard.promote(1)
    yield yard
    gateway.end()


def make_model(control: Control) -> None:
    """Make the model with a call schema of its own."""
    columns = (
        Column(name="x", type=ColumnType.FLOAT64),
        Column(name="y", type=ColumnType.FLOAT64, nullable=True),
        Column(name="part", type=ColumnType.CATEGORY, levels=LEVELS),
    )
    schema = CallSchema(columns=columns, target=TARGET, target_type=ColumnType.FLOAT64)
    control.client("scientist").put_model(MODEL, Task.REGRESSION, schema)


def new_gateway(home: Path, control: Control, url: str | None = None) -> Gateway:
    """Return a gateway of that control, with its token."""
    (home / "tokens").mkdir(parents=True, exist_ok=True)
    (home / "tokens" / "gateway").write_text(control.tokens["gateway"] + "\n")
    return Gateway(home, {"TILTYARD_CLIENT__URL": url or control.url})


def test_a_promotion_is_in_force_when_it_returns(yard: Yard) -> None:
    """The gateway registers, fetches, and confirms within the promotion."""
    yard.gateway.start()
    for champion, version in ((1, 2), (2, 1), (1, 2)):
        assert yard.predict()[1]["version"] == champion
        assert yard.promote(version) == ()
        assert yard.predict()[1]["version"] == version
    (registered,) = yard.control.client().gateways()
    assert registered.url == yard.gateway.url


def test_the_champion_narrows_what_a_call_may_hold(yard: Yard) -> None:
    """Version 2 cannot do without y, version 1 can."""
    yard.gateway.start()
    assert yard.predict(x=1.0, part="noon")[0] == 200
    yard.promote(2)
    status, answer = yard.predict(x=1.0, part="noon")
    assert status == 422
    assert answer["error"]["message"] == "rows[0].y: is missing, and needed"


def test_a_revoked_token_is_refused_soon(yard: Yard) -> None:
    """Tokens travel with the routes."""
    yard.gateway.start()
    assert yard.predict()[0] == 200
    issued = [t for t in yard.control.client().tokens() if t.name == "application"]
    for token in issued:
        yard.control.client().revoke_token(token.id)
    end = time.monotonic() + 5
    while yard.predict()[0] != 401:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_registered_gateway_starts_without_control(yard: Yard) -> None:
    """After a crash it serves from its disk, under a higher epoch and the same number."""
    yard.gateway.start()
    first = yard.predict()[1]
    yard.gateway.stop(signal.SIGKILL)
    assert [g.name for g in yard.control.client().gateways()] == ["gateway"]
    alone = new_gateway(yard.gateway.home, yard.control, NOBODY)
    alone.start()
    try:
        again = Yard(yard.control, alone, yard.token).predict()[1]
    finally:
        alone.end()
    assert again["predictions"][0]["value"] == first["predictions"][0]["value"]
    seqs = [record.seq for record in alone.records()]
    assert seqs == [1 << 40, 2 << 40]


def test_an_unregistered_gateway_fetches_first(yard: Yard) -> None:
    """It is alive, not ready, and answers 503 until control answers; so after a clean stop."""
    yard.gateway.start()
    (before,) = yard.control.client().gateways()
    assert yard.gateway.stop() == 0
    assert yard.control.client().gateways() == []
    alone = new_gateway(yard.gateway.home, yard.control, NOBODY)
    alone.start(ready=False)
    try:
        status, answer = Yard(yard.control, alone, yard.token).predict()
    finally:
        alone.end()
    assert (status, answer["error"]["details"]["reason"]) == (503, "no_routes")
    yard.gateway.start()
    assert yard.predict()[0] == 200
    (registered,) = yard.control.client().gateways()
    assert registered.number == before.number


def test_the_gateway_keeps_and_confirms_ledger_heads(yard: Yard) -> None:
    """The longest it has seen."""
    yard.gateway.start()
    yard.promote(2)
    saved = load_routes(yard.gateway.home / "routes.json")
    assert saved is not None
    entries = yard.control.client("viewer").ledger(MODEL)
    assert saved.ledgers[MODEL] == LedgerHead(length=len(entries), hash=entries[-1].hash)


def test_a_shorter_or_changed_ledger_does_not_replace_a_head(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told, and the old head stays as evidence."""
    kept = {MODEL: LedgerHead(length=3, hash="c")}
    for head in (LedgerHead(length=2, hash="b"), LedgerHead(length=3, hash="x")):
        assert longest(kept, table_with(head)) == kept
        assert "run `tiltyard ledger verify`" in caplog.text
        caplog.clear()
    longer = LedgerHead(length=4, hash="d")
    assert longest(kept, table_with(longer)) == {MODEL: longer}
    assert caplog.text == ""


def table_with(head: LedgerHead) -> RouteTable:
    """Return a table of one model with this ledger."""
    columns = (Column(name="x", type=ColumnType.FLOAT64),)
    schema = CallSchema(columns=columns, target=TARGET, target_type=ColumnType.FLOAT64)
    model = ModelRoute(name=MODEL, number=1, task=Task.REGRESSION, call_schema=schema, ledger=head)
    return RouteTable(number=1, models=(model,), id_key="00")
