"""Who may what: every route, every kind of caller."""

from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts

from support.control import Control, add_version, deploy
from tiltyard.client.tickets import sign
from tiltyard.client.transport import PREFIX
from tiltyard.errors import UnauthenticatedError

BODIES = {
    "/models/{model}": {
        "task": "regression",
        "call_schema": {"columns": [], "target": "bikers", "target_type": "int64"},
    },
    "/models/{model}/versions/{version}/deploy": {},
    "/deployments/{deployment}": {"state": "failed"},
    "/models/{model}/promote": {"version": 1, "expected_champion": None, "reason": "better"},
    "/models/{model}/rollback": {"reason": "worse"},
    "/models/{model}/replay": {"version": 1, "since": "2024-01-01T00:00:00Z"},
    "/models/{model}/history/extend": {},
    "/runs": {"kind": "train", "pipeline": "bikes"},
    "/runs/claim": {"runner": "r", "lost_after_s": 30},
    "/tokens": {"name": "shop", "models": ["bikes"]},
    "/gateways": {"name": "g", "url": "http://g", "spool": "s"},
    "/gateways/{name}/confirm": {"route_number": 1},
}

NAMES = {"{model}": "bikes", "{version}": "1", "{name}": "g"}

LEAST = {
    "viewer": {
        "me", "list_models", "get_model", "get_history", "list_versions", "get_version",
        "list_deployments", "list_replicas", "get_ledger", "get_metrics",
        "get_overview",
        "get_series", "check_model", "read_scored",
        "get_progress", "list_runs", "get_run", "read_run_log", "list_gateways",
        "follow_events",
    },
    "scientist": {
        "put_model", "patch_model", "write_history", "deploy_version", "retire_version",
        "read_scorer_log",
        "request_run", "cancel_run",
    },
    "scientist or runner": {
        "read_history", "extend_history", "read_training_frame", "add_version",
        "replay_version",
    },
    "scientist or worker": {"download_version"},
    "promoter": {"promote_version", "roll_back"},
    "operator": {"set_deployment", "issue_token", "list_tokens", "revoke_token"},
    "gateway": {"register_gateway", "remove_gateway", "confirm_routes"},
    "gateway or worker": {"get_routes"},
    "runner": {"claim_run", "get_run_by_key", "update_run", "append_run_log"},
}  # fmt: skip
"""Least scope → the calls; a table of its own, so that a changed route is noticed."""

REFUSED = {
    "viewer": set[str](),
    "scientist": {"viewer", "gateway", "worker", "runner"},
    "scientist or runner": {"viewer", "gateway", "worker"},
    "scientist or worker": {"viewer", "gateway", "runner"},
    "promoter": {"viewer", "scientist", "gateway", "worker", "runner"},
    "operator": {"viewer", "scientist", "promoter", "gateway", "worker", "runner"},
    "gateway": {"viewer", "scientist", "promoter", "worker", "runner"},
    "gateway or worker": {"viewer", "scientist", "promoter", "runner"},
    "runner": {"viewer", "scientist", "promoter", "gateway", "worker"},
}

OF_A_MODEL = {
    "put_model", "patch_model", "write_history", "read_history", "extend_history",
    "read_training_frame", "add_version", "download_version", "deploy_version",
    "retire_version", "promote_version", "roll_back", "replay_version", "request_run",
}  # fmt: skip
"""Calls that need the model's owner group."""


def routes(control: Control) -> dict[str, tuple[str, str]]:
    """Return method and path of every route but the two that need no token, by name."""
    found = list(iter_route_contexts(control.app.routes))
    return {
        str(route.name): (min(route.methods or ()), str(route.path).removeprefix(PREFIX))
        for route in found
        if route.name not in {"health", "openapi"}
    }


def status(control: Control, route: tuple[str, str], name: str | None) -> int:
    """Return what a call of a route, with a good body, is answered for a caller."""
    method, path = route
    body = {} if method == "PATCH" and path == "/models/{model}" else BODIES.get(path)
    for key, value in NAMES.items():
        path = path.replace(key, value)
    params = {"version": 1} if path.endswith(("/scored", "/progress")) else {}
    answer = control.call(method, path, name, json=body, params=params)
    return answer.status_code


def test_every_route_is_in_the_table(control: Control) -> None:
    """No route is left without a decision who may call it."""
    assert set(routes(control)) == set.union(*LEAST.values())


def test_every_route_refuses_who_has_no_token(control: Control) -> None:
    """401 for all but health."""
    for name, route in routes(control).items():
        assert (name, status(control, route, None)) == (name, 401)


def test_every_route_refuses_too_little(control: Control, bikes: str) -> None:
    """403 for every scope that does not suffice, whatever else is wrong."""
    found = routes(control)
    for least, calls in LEAST.items():
        for call in calls:
            for scope in REFUSED[least]:
                told = (call, scope, status(control, found[call], scope))
                assert told == (call, scope, 403)


def test_other_groups_have_no_rights_on_a_model(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """A promoter of another group is refused by every call that concerns a model."""
    add_version(control, tmp_path / "v1")
    deploy(control, 1)
    for call in OF_A_MODEL:
        told = (call, status(control, routes(control)[call], "stranger"))
        assert told == (call, 403)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic abc", "Bearer nonsense", "token nonsense", "nonsense"],
)
def test_what_is_no_token_is_refused(control: Control, header: str) -> None:
    """A missing, unknown or misshapen token is a 401 in the one shape."""
    answer = control.call("GET", "/me", None, headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_the_word_token_is_as_good_as_bearer(control: Control) -> None:
    """As JupyterHub's clients send it."""
    header = {"authorization": f"token {control.tokens['viewer']}"}
    assert control.call("GET", "/me", None, headers=header).json()["name"] == "viewer"


def test_an_applications_token_opens_no_door_here(control: Control, bikes: str) -> None:
    """Applications call the gateway, never control."""
    issued = control.client().issue_token("shop", ["bikes"])
    header = {"authorization": f"Bearer {issued.token}"}
    assert control.call("GET", "/me", None, headers=header).status_code == 401


def test_a_revoked_token_is_unknown_at_once(control: Control, bikes: str) -> None:
    """The next call with it is refused."""
    token = next(t for t in control.client().tokens() if t.name == "viewer")
    control.client("viewer").me()
    control.client().revoke_token(token.id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        control.client("viewer").me()


def test_without_a_hub_there_are_no_tickets(control: Control) -> None:
    """Nobody is known by one, whatever it is signed with."""
    ticket = sign(b"", "viewer", 1 << 40)
    header = {"authorization": f"Bearer {ticket}"}
    assert control.call("GET", "/me", None, headers=header).status_code == 401


def test_health_needs_no_token(control: Control) -> None:
    """Whoever asks is told that control answers."""
    assert control.call("GET", "/health", None).json()["status"] == "ok"
