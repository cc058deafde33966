"""Promotion over HTTP: who waits for whom."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.control import Control, add_version, deploy
from tiltyard.errors import (
    ConflictError,
    InvalidInputError,
    LostRaceError,
    NotDeployedError,
    NotFoundError,
)
from tiltyard.types.registry import Promotion


@pytest.fixture
def two(control: Control, bikes: str, tmp_path: Path) -> Control:
    """A control with two healthy versions of bikes."""
    add_version(control, tmp_path / "v1", description="one")
    add_version(control, tmp_path / "v2", description="two")
    deploy(control, 1, 2)
    return control


def promote(control: Control, version: int, expected: int | None) -> Promotion:
    """Promote a version of bikes."""
    return control.client("promoter").promote("bikes", version, expected, "it is better")


def register(control: Control, name: str) -> None:
    """Register a gateway."""
    control.client("gateway").register_gateway(name, f"http://{name}", f"spool of {name}")


def confirm(control: Control, name: str) -> None:
    """Let a gateway confirm the newest routes."""
    client = control.client("gateway")
    table = client.routes()
    assert table is not None
    client.confirm_routes(name, table.number, {m.name: m.ledger for m in table.models})


def test_without_gateways_a_promotion_is_done_at_once(two: Control) -> None:
    """200, and the model has its champion; the ledger tells who and why."""
    assert promote(two, 1, None).waiting_for == ()
    assert two.client().model("bikes").champion == 1
    entry = two.client("viewer").ledger("bikes")[0]
    assert (entry.who, entry.to_version, entry.reason) == ("promoter", 1, "it is better")


def test_a_silent_gateway_makes_it_202_naming_it(two: Control) -> None:
    """The promotion stands; who has not confirmed is told."""
    register(two, "near")
    register(two, "far")
    confirm(two, "near")
    body = {"version": 1, "expected_champion": None, "reason": "it is better"}
    threading.Timer(0.2, confirm, (two, "near")).start()
    answer = two.call("POST", "/models/bikes/promote", "promoter", json=body)
    assert answer.status_code == 202
    assert answer.json()["waiting_for"] == ["far"]
    assert two.client().model("bikes").champion == 1


def test_a_promotion_answers_as_soon_as_all_have_confirmed(two: Control) -> None:
    """It waits for each gateway, and not for the time-out."""
    register(two, "near")
    register(two, "far")
    before = two.client("gateway").routes()
    assert before is not None
    with ThreadPoolExecutor() as pool:
        promotion = pool.submit(promote, two, 1, None)
        table = two.client("gateway").routes(after=before.number, wait_s=5)
        assert table is not None
        assert table.number == before.number + 1
        confirm(two, "near")
        time.sleep(0.1)
        assert not promotion.done()
        confirm(two, "far")
        assert promotion.result().waiting_for == ()


def test_a_gateway_that_is_removed_is_not_waited_for(two: Control) -> None:
    """Removing is the operator's way to go on without one."""
    register(two, "gone")
    two.client().remove_gateway("gone")
    assert promote(two, 1, None).waiting_for == ()
    with pytest.raises(NotFoundError, match="gateway 'gone'"):
        two.client().remove_gateway("gone")


def test_another_process_can_confirm(two: Control) -> None:
    """A change that did not pass through this process is seen as well."""
    register(two, "near")

    def elsewhere() -> None:
        number = two.parts.registry.routes.number()
        two.parts.registry.gateways.confirm("near", number, {})

    threading.Timer(0.15, elsewhere).start()
    assert promote(two, 1, None).waiting_for == ()


def test_a_lost_race_is_a_409_of_its_own(two: Control) -> None:
    """Who expected another champion is told which one there is."""
    promote(two, 1, None)
    with pytest.raises(LostRaceError, match="is version 1, not none") as lost:
        promote(two, 2, None)
    assert lost.value.details["champion"] == 1
    body = {"version": 2, "expected_champion": None, "reason": "r"}
    assert two.call("POST", "/models/bikes/promote", "promoter", json=body).status_code == 409


def test_of_many_at_once_one_wins(two: Control) -> None:
    """Every other one lost the race or found its version champion already."""
    with ThreadPoolExecutor(8) as pool:
        calls = [lambda v=1 + i % 2: promote(two, v, None) for i in range(8)]
        outcomes = list(pool.map(outcome, calls))
    assert outcomes.count("Promotion") == 1
    assert outcomes.count("LostRaceError") == 7


def outcome(call: Callable[[], object]) -> str:
    """Return the class of what a call returns or raises."""
    try:
        return type(call()).__name__
    except ConflictError as error:
        return type(error).__name__


def test_rolling_back_returns_to_the_champion_before(two: Control) -> None:
    """And needs one."""
    promote(two, 1, None)
    with pytest.raises(ConflictError, match="no earlier champion"):
        two.client("promoter").rollback("bikes", "oh")
    promote(two, 2, 1)
    assert two.client("promoter").rollback("bikes", "worse", 2).entry.to_version == 1
    with pytest.raises(LostRaceError):
        two.client("promoter").rollback("bikes", "worse", 2)


@pytest.mark.parametrize(
    ("version", "reason", "error", "word"),
    [
        (3, "r", NotFoundError, "no version 'bikes 3'"),
        (1, "", InvalidInputError, "reason"),
        (1, "   ", InvalidInputError, "say why"),
    ],
)
def test_a_promotion_that_cannot_be(
    two: Control, version: int, reason: str, error: type[Exception], word: str
) -> None:
    """An unknown version, or no reason."""
    with pytest.raises(error, match=word):
        two.client("promoter").promote("bikes", version, None, reason)


def test_only_what_is_healthy_can_be_promoted(control: Control, bikes: str, tmp_path: Path) -> None:
    """A version without a deployment, and one that is still starting."""
    add_version(control, tmp_path / "v1")
    with pytest.raises(NotDeployedError, match="tiltyard deploy bikes 1"):
        promote(control, 1, None)
    control.client("scientist").deploy("bikes", 1)
    with pytest.raises(NotDeployedError):
        promote(control, 1, None)


def test_the_champion_is_not_retired(two: Control) -> None:
    """Somebody else must be promoted first; a challenger goes."""
    promote(two, 1, None)
    with pytest.raises(ConflictError, match="champion"):
        two.client("scientist").retire("bikes", 1)
    assert two.client("scientist").retire("bikes", 2).state == "retired"


def test_a_deployment_has_stable_sockets_and_follows_from_now(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """Endpoints are below the settings' folder; the cursor is the watermark."""
    add_version(control, tmp_path / "v1")
    deployment = control.client("scientist").deploy("bikes", 1, replicas=2)
    assert len(deployment.endpoints) == 2
    base = control.parts.settings.sockets
    assert deployment.endpoints[0] == f"unix:{base}/{deployment.id}/0/s.sock"
    assert control.client().progress("bikes", 1)["behind"] == 0
    assert control.client("viewer").deployments("bikes") == [deployment]
    with pytest.raises(ConflictError, match="deployed already"):
        control.client("scientist").deploy("bikes", 1)


def test_an_engine_that_there_is_not_is_refused(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """Before anything is started; those there are are named."""
    add_version(control, tmp_path / "v1")
    with pytest.raises(NotFoundError, match="Known: onnx, r, sklearn"):
        control.client("scientist").deploy("bikes", 1, engine="abacus")
    assert control.client("scientist").deploy("bikes", 1, engine="onnx").engine == "onnx"


def test_a_refused_deployment_says_why(control: Control, bikes: str, tmp_path: Path) -> None:
    """What the reconciler tells is what everybody reads."""
    add_version(control, tmp_path / "v1")
    deployment = control.client("scientist").deploy("bikes", 1)
    control.client().set_deployment(deployment.id, "refused", "row 3 differs")
    assert control.client("viewer").deployments()[0].reason == "row 3 differs"
