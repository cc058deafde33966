"""Versions count up by model and use a subset of its call schema."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.registry import COLUMNS, SEASON, add_deployed, add_model, add_version, deploy, manifest
from tiltyard.errors import ConflictError, InvalidInputError, NotDeployedError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import DeploymentState
from tiltyard.types.schema import Column, ColumnType, Task


def test_versions_count_up_by_model(registry: Registry) -> None:
    """Each model has its own 1, 2, …; all fields come back, times exact to the microsecond."""
    add_model(registry)
    add_model(registry, "shuttle")
    first = registry.versions.add("bikeshare", "a" * 64, manifest(), "run-1", "ada")
    assert (first.version, first.run, first.digest) == (1, "run-1", "a" * 64)
    assert first.manifest == manifest()
    assert registry.versions.get("bikeshare", 1) == first
    assert registry.versions.add("bikeshare", "b" * 64, manifest(), None, "ada").version == 2
    assert registry.versions.add("shuttle", "a" * 64, manifest("shuttle"), None, "ada").version == 1
    assert [v.version for v in registry.versions.list("bikeshare")] == [1, 2]


def test_the_same_digest_is_the_same_version(registry: Registry) -> None:
    """Logging twice, by whomever, gives one version."""
    add_model(registry)
    first = registry.versions.add("bikeshare", "a" * 64, manifest(), "run-1", "ada")
    assert registry.versions.add("bikeshare", "a" * 64, manifest(), "run-2", "bob") == first


def test_threads_get_numbers_of_their_own(registry: Registry) -> None:
    """Versions logged at once are numbered without gaps."""
    add_model(registry)
    with ThreadPoolExecutor(8) as pool:
        digests = [f"{number:064x}" for number in range(16)]
        made = pool.map(
            lambda digest: registry.versions.add("bikeshare", digest, manifest(), None, "ada"),
            digests,
        )
    assert sorted(version.version for version in made) == list(range(1, 17))


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (Column(name="wind", type=ColumnType.FLOAT64), "'wind' is not in the call schema"),
        (
            COLUMNS[1].model_copy(update={"type": ColumnType.INT64}),
            "'temperature' is float64 in calls, int64 in the version",
        ),
    ],
)
def test_a_signature_is_a_subset(registry: Registry, column: Column, sentence: str) -> None:
    """A column that calls do not hold, or hold otherwise, is named."""
    add_model(registry)
    registry.versions.add("bikeshare", "a" * 64, manifest("bikeshare", SEASON), None, "ada")
    with pytest.raises(InvalidInputError, match=sentence):
        registry.versions.add("bikeshare", "b" * 64, manifest("bikeshare", column), None, "ada")


def test_a_manifest_of_another_model_or_task(registry: Registry) -> None:
    """A version is logged to the model that it was made for."""
    add_model(registry)
    other_task = manifest().model_copy(update={"task": Task.CLASSIFICATION})
    for wrong in (manifest("shuttle"), other_task):
        with pytest.raises(InvalidInputError, match="cannot be logged"):
            registry.versions.add("bikeshare", "a" * 64, wrong, None, "ada")


def test_unknown_models_versions_and_digests(registry: Registry) -> None:
    """Each is named."""
    add_model(registry)
    with pytest.raises(NotFoundError, match="model 'shuttle'"):
        registry.versions.list("shuttle")
    with pytest.raises(NotFoundError, match="version 'bikeshare 1'"):
        registry.versions.get("bikeshare", 1)
    with pytest.raises(InvalidInputError, match="SHA-256"):
        registry.versions.add("bikeshare", "../x", manifest(), None, "ada")


def test_retiring_ends_deployments_and_chances(registry: Registry) -> None:
    """A retired version is not deployed, not promoted and not deployed again."""
    add_deployed(registry, 1)
    assert registry.versions.retire("bikeshare", 1).retired
    assert registry.versions.retire("bikeshare", 1).retired
    assert [d.state for d in registry.deployments.list()] == [DeploymentState.RETIRED]
    assert registry.routes.table().models[0].challengers == ()
    with pytest.raises(NotDeployedError):
        registry.champions.promote("bikeshare", 1, None, "why", "ada")
    with pytest.raises(ConflictError, match="log it anew"):
        deploy(registry, 1)


def test_the_champion_is_not_retired(registry: Registry) -> None:
    """Another one has to be promoted first."""
    add_deployed(registry, 1)
    registry.champions.promote("bikeshare", 1, None, "first", "ada")
    with pytest.raises(ConflictError, match="champion"):
        registry.versions.retire("bikeshare", 1)
    add_version(registry)
    with pytest.raises(NotFoundError):
        registry.versions.retire("bikeshare", 3)
