"""Runs wait in a queue, are claimed once, and end once."""

import time

import pytest

from tiltyard.errors import ConflictError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import Run, RunKind, RunProgress, RunRequest, RunState, Scope

PATIENCE = 60.0
KEY = "a" * 64


def request(retries: int = 0) -> RunRequest:
    """A training that may be tried again."""
    return RunRequest(
        kind=RunKind.TRAIN,
        pipeline="bikeshare",
        model="bikeshare",
        parameters={"n_estimators": 200, "größe": 0.5},
        retries=retries,
    )


def running(registry: Registry, retries: int = 0) -> Run:
    """A run that was claimed."""
    registry.runs.enqueue(request(retries), "ada")
    claimed = registry.runs.claim("runner", PATIENCE)
    assert claimed is not None
    return claimed


def claim_lost(registry: Registry) -> Run | None:
    """Claim as a runner that gives up all others."""
    time.sleep(0.002)
    return registry.runs.claim("other", 0.001)


def kinds(registry: Registry) -> list[str]:
    """Kinds of all events."""
    return [event.kind for event in registry.events.after(0)]


def test_a_run_is_queued_as_requested(registry: Registry) -> None:
    """All of the request comes back; ids sort by age; the newest is listed first."""
    runs = [registry.runs.enqueue(request(n), "ada") for n in range(3)]
    assert registry.runs.get(runs[1].id) == runs[1]
    assert (runs[1].request, runs[1].state, runs[1].attempt) == (request(1), RunState.QUEUED, 0)
    ids = [run.id for run in runs]
    assert sorted(ids) == ids
    assert max(map(len, ids)) <= 16
    assert [run.id for run in registry.runs.list()] == ids[::-1]
    assert [run.id for run in registry.runs.list(limit=1)] == ids[-1:]
    assert registry.runs.list(RunState.RUNNING) == []
    with pytest.raises(NotFoundError):
        registry.runs.get("nothing")


def test_the_oldest_is_claimed_first(registry: Registry) -> None:
    """Until there is none."""
    ids = [registry.runs.enqueue(request(), "ada").id for _ in range(2)]
    first = registry.runs.claim("runner", PATIENCE)
    assert first is not None
    assert (first.id, first.state, first.attempt) == (ids[0], RunState.RUNNING, 1)
    assert first.started_at == first.heartbeat_at is not None
    second = registry.runs.claim("runner", PATIENCE)
    assert second is not None
    assert second.id == ids[1]
    assert registry.runs.claim("runner", PATIENCE) is None


def test_a_run_tells_what_is_new_and_succeeds(registry: Registry) -> None:
    """What was told stays; the end has its time; the key finds it."""
    run = running(registry)
    progress = RunProgress(done=2, total=9, note="Fit")
    time.sleep(0.002)
    told = registry.runs.update(run.id, progress=progress, key=KEY)
    assert (told.progress, told.key, told.state) == (progress, KEY, RunState.RUNNING)
    assert told.heartbeat_at is not None
    assert run.heartbeat_at is not None
    assert told.heartbeat_at > run.heartbeat_at
    assert registry.runs.by_key(KEY) is None
    done = registry.runs.update(run.id, state=RunState.SUCCEEDED, version=3, history="b" * 64)
    assert (done.version, done.history, done.key) == (3, "b" * 64, KEY)
    assert (done.state, done.progress) == (RunState.SUCCEEDED, progress)
    assert done.finished_at is not None
    assert registry.runs.by_key(KEY) == done
    assert kinds(registry) == ["run.queued", "run.running", "run.progress", "run.succeeded"]


def test_a_heartbeat_alone_is_no_event(registry: Registry) -> None:
    """Nor is progress that is none."""
    run = running(registry)
    before = kinds(registry)
    registry.runs.update(run.id)
    registry.runs.update(run.id, progress=RunProgress(), state=RunState.RUNNING)
    assert kinds(registry) == before


def test_the_newest_success_of_a_key_counts(registry: Registry) -> None:
    """Two runs may have one key when the second was forced."""
    for version in (1, 2):
        run = running(registry)
        registry.runs.update(run.id, state=RunState.SUCCEEDED, version=version, key=KEY)
    found = registry.runs.by_key(KEY)
    assert found is not None
    assert found.version == 2


@pytest.mark.parametrize("state", [s for s in RunState if s.ended])
def test_an_ended_run_does_not_change(registry: Registry, state: RunState) -> None:
    """Neither another end nor a heartbeat is taken; cancelling it does nothing."""
    run = running(registry)
    ended = registry.runs.update(run.id, state=state)
    for new in (None, *RunState):
        with pytest.raises(ConflictError, match=state.value):
            registry.runs.update(run.id, state=new, error="late")
    assert registry.runs.cancel(run.id) == registry.runs.get(run.id) == ended


def test_states_do_not_go_back(registry: Registry) -> None:
    """A queued run is not updated, a running one not queued."""
    queued = registry.runs.enqueue(request(), "ada")
    for state in RunState:
        with pytest.raises(ConflictError, match="queued"):
            registry.runs.update(queued.id, state=state)
    run = registry.runs.claim("runner", PATIENCE)
    assert run is not None
    with pytest.raises(ConflictError, match="cannot be queued"):
        registry.runs.update(run.id, state=RunState.QUEUED)


def test_a_failed_run_is_tried_again(registry: Registry) -> None:
    """As often as was asked for, then it has failed; the last error stays."""
    run = running(registry, retries=1)
    again = registry.runs.update(run.id, state=RunState.FAILED, error="cell 3")
    assert (again.state, again.finished_at, again.error) == (RunState.QUEUED, None, "cell 3")
    assert again.progress == RunProgress()
    second = registry.runs.claim("runner", PATIENCE)
    assert second is not None
    assert (second.id, second.attempt) == (run.id, 2)
    ended = registry.runs.update(run.id, state=RunState.FAILED, error="cell 4")
    assert (ended.state, ended.error) == (RunState.FAILED, "cell 4")
    assert registry.runs.claim("runner", PATIENCE) is None


def test_a_lost_run_fails_or_is_tried_again(registry: Registry) -> None:
    """The next claim ends a run without heartbeats; a run with them is left alone."""
    lost = running(registry)
    again = running(registry, retries=1)
    claimed = claim_lost(registry)
    failed = registry.runs.get(lost.id)
    assert failed.state is RunState.FAILED
    assert failed.error == "Its runner runner gave no sign of life any more."
    assert claimed is not None
    assert (claimed.id, claimed.attempt, claimed.state) == (again.id, 2, RunState.RUNNING)
    assert registry.runs.claim("runner", PATIENCE) is None
    assert registry.runs.get(again.id).state is RunState.RUNNING


def test_a_runner_that_was_given_up_is_told(registry: Registry) -> None:
    """It speaks of attempt 1 when there is a second."""
    run = running(registry, retries=1)
    claimed = claim_lost(registry)
    assert claimed is not None
    with pytest.raises(ConflictError, match="attempt 2, not 1"):
        registry.runs.update(run.id, state=RunState.SUCCEEDED, attempt=1)
    assert registry.runs.update(run.id, attempt=2).state is RunState.RUNNING


def test_cancelling(registry: Registry) -> None:
    """A queued run ends at once; a running one is asked, and is not tried again."""
    queued = registry.runs.enqueue(request(), "ada")
    assert registry.runs.cancel(queued.id).state is RunState.CANCELLED
    run = running(registry, retries=3)
    for _ in range(2):
        asked = registry.runs.cancel(run.id)
        assert (asked.state, asked.cancel_requested) == (RunState.RUNNING, True)
    assert registry.runs.update(run.id, state=RunState.FAILED).state is RunState.CANCELLED
    lost = running(registry, retries=3)
    registry.runs.cancel(lost.id)
    assert claim_lost(registry) is None
    assert registry.runs.get(lost.id).state is RunState.CANCELLED
    assert kinds(registry).count("run.cancelling") == 2


@pytest.mark.parametrize("retries", [0, 1])
def test_tokens_of_a_run_end_with_its_attempt(registry: Registry, retries: int) -> None:
    """A kernel that outlives its run can do nothing any more; other tokens stay."""
    run = running(registry, retries)
    mine = registry.tokens.issue_principal("ada", [Scope.SCIENTIST], [], "runner", run=run.id)
    other = registry.tokens.issue_principal("ada", [Scope.SCIENTIST], [], "runner", run="other")
    assert registry.tokens.principal(mine.token) is not None
    registry.runs.update(run.id, state=RunState.FAILED)
    assert registry.tokens.principal(mine.token) is None
    assert registry.tokens.principal(other.token) is not None


def test_a_run_keeps_the_groups_of_who_asked(registry: Registry) -> None:
    """In their order; an unknown run has none to tell."""
    run = registry.runs.enqueue(request(), "ada", ["trams", "bikes"])
    assert registry.runs.groups(run.id) == ("trams", "bikes")
    with pytest.raises(NotFoundError, match="run"):
        registry.runs.groups("none")
