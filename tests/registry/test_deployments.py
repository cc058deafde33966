"""Deployments record what is to run; at most one of a version is alive."""

from pathlib import Path

import pytest

from support.registry import SOCKETS, add_deployed, add_model, add_version, deploy
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import Deployment, DeploymentState


def create(registry: Registry, replicas: int = 1, base: Path = SOCKETS) -> Deployment:
    """Deploy version 1, not healthy yet."""
    return registry.deployments.create("bikeshare", 1, "process", replicas, "onnx", base, "ada")


@pytest.fixture
def model(registry: Registry) -> None:
    """A model with one version."""
    add_model(registry)
    add_version(registry)


@pytest.mark.usefixtures("model")
def test_a_deployment_has_a_socket_for_each_replica(registry: Registry) -> None:
    """The id is 8 hex digits, and each replica's socket has a folder of its own."""
    made = create(registry, replicas=3)
    assert len(bytes.fromhex(made.id)) == 4
    assert made.endpoints == tuple(f"unix:/run/tiltyard/{made.id}/{n}/s.sock" for n in range(3))
    assert (made.state, made.engine, made.replicas) == (DeploymentState.STARTING, "onnx", 3)
    assert registry.deployments.get(made.id) == made


@pytest.mark.usefixtures("model")
def test_what_cannot_be_deployed(registry: Registry) -> None:
    """A long path, no replicas, an unknown version: each says what is wrong."""
    with pytest.raises(InvalidInputError, match="runtime_dir"):
        create(registry, base=Path("/" + "x" * 90))
    with pytest.raises(InvalidInputError, match="at least 1"):
        create(registry, replicas=0)
    with pytest.raises(NotFoundError):
        deploy(registry, 2)
    assert registry.deployments.list() == []


@pytest.mark.usefixtures("model")
def test_one_live_deployment_of_a_version(registry: Registry) -> None:
    """A second one has to wait until the first has failed, was refused or is retired."""
    first = create(registry)
    for state in (DeploymentState.STARTING, DeploymentState.HEALTHY):
        registry.deployments.set_state(first.id, state)
        with pytest.raises(ConflictError, match=first.id):
            create(registry)
    registry.deployments.set_state(first.id, DeploymentState.REFUSED, "row 3 differs")
    second = create(registry)
    with pytest.raises(ConflictError, match=second.id):
        registry.deployments.set_state(first.id, DeploymentState.HEALTHY)
    live = registry.deployments.list("bikeshare", live_only=True)
    assert [deployment.id for deployment in live] == [second.id]
    assert [d.id for d in registry.deployments.list()] == [first.id, second.id]
    assert registry.deployments.list("shuttle") == []


@pytest.mark.usefixtures("model")
def test_a_failed_one_may_come_back_and_a_retired_one_not(registry: Registry) -> None:
    """A reconciler that starts it again says so; retired is for ever."""
    made = create(registry)
    failed = registry.deployments.set_state(made.id, DeploymentState.FAILED, "no memory")
    assert failed.reason == "no memory"
    assert registry.deployments.set_state(made.id, DeploymentState.STARTING).reason is None
    assert registry.deployments.retire("bikeshare", 1).state is DeploymentState.RETIRED
    with pytest.raises(ConflictError, match="stays so"):
        registry.deployments.set_state(made.id, DeploymentState.HEALTHY)
    with pytest.raises(NotFoundError, match="deployment of"):
        registry.deployments.retire("bikeshare", 1)


@pytest.mark.usefixtures("model")
def test_the_same_state_again_tells_nobody(registry: Registry) -> None:
    """A reconciler may report as often as it likes."""
    made = create(registry)
    registry.deployments.set_state(made.id, DeploymentState.HEALTHY)
    before = registry.routes.number(), registry.events.after(0)
    registry.deployments.set_state(made.id, DeploymentState.HEALTHY)
    assert (registry.routes.number(), registry.events.after(0)) == before


def test_the_champion_is_not_retired(registry: Registry) -> None:
    """It answers calls: another one is promoted first. It may be found failed."""
    add_deployed(registry, 1)
    registry.champions.promote("bikeshare", 1, None, "first", "ada")
    (only,) = registry.deployments.list()
    with pytest.raises(ConflictError, match="champion"):
        registry.deployments.retire("bikeshare", 1)
    with pytest.raises(ConflictError, match="champion"):
        registry.deployments.set_state(only.id, DeploymentState.RETIRED)
    registry.deployments.set_state(only.id, DeploymentState.FAILED, "killed")
    again = create(registry)
    assert registry.deployments.set_state(again.id, DeploymentState.HEALTHY).endpoints


def test_unknown_deployments(registry: Registry) -> None:
    """An unknown id is not found."""
    with pytest.raises(NotFoundError):
        registry.deployments.get("00000000")
