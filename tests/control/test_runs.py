"""Runs over HTTP: asked for, claimed, followed, ended."""

from collections.abc import Callable

import pytest

from support.control import Control, bikes_frame
from tiltyard.client.frames import to_batches
from tiltyard.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from tiltyard.types.registry import Run, RunKind, RunProgress, RunRequest, RunState


def ask(control: Control, pipeline: str = "bikes", name: str = "scientist", **told: object) -> Run:
    """Ask for a training."""
    request = RunRequest.model_validate({"kind": "train", "pipeline": pipeline, **told})
    return control.client(name).request_run(request)


def claim(control: Control) -> tuple[Run, str]:
    """Claim the next run."""
    claimed = control.client("runner").claim_run("runner 1", 30)
    assert claimed is not None
    return claimed


def test_a_run_goes_from_the_queue_to_its_end(control: Control, bikes: str) -> None:
    """Progress and outcome are what the runner told."""
    asked = ask(control, parameters={"n_estimators": 200})
    assert asked.state is RunState.QUEUED
    run, _ = claim(control)
    assert (run.id, run.state) == (asked.id, RunState.RUNNING)
    runner, viewer = control.client("runner"), control.client("viewer")
    runner.update_run(run.id, progress=RunProgress(done=2, total=9, note="Fit"))
    assert viewer.run(run.id).progress.note == "Fit"
    runner.update_run(run.id, state="succeeded", version=3, history="d" * 64, key="k" * 64)
    ended = viewer.run(run.id)
    assert (ended.state, ended.version) == (RunState.SUCCEEDED, 3)
    assert runner.run_by_key("k" * 64) == ended
    assert runner.run_by_key("other") is None


def test_an_empty_queue_gives_nothing(control: Control) -> None:
    """The runner asks again later."""
    assert control.client("runner").claim_run("r", 30) is None


def test_runs_are_listed_newest_first(control: Control) -> None:
    """By state and bounded, if wanted."""
    ids = [ask(control, f"p{i}").id for i in range(3)]
    client = control.client("viewer")
    assert [run.id for run in client.runs()] == ids[::-1]
    assert [run.id for run in client.runs(limit=1)] == ids[2:]
    claim(control)
    assert [run.id for run in client.runs(state="running")] == ids[:1]


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_is_asked_to_end(
    control: Control,
) -> None:
    """The runner reads it from its next sign of life."""
    first, second = ask(control), ask(control)
    assert control.client("scientist").cancel_run(second.id).state is RunState.CANCELLED
    run, _ = claim(control)
    assert run.id == first.id
    assert control.client("scientist").cancel_run(run.id).state is RunState.RUNNING
    runner = control.client("runner")
    assert runner.update_run(run.id).cancel_requested
    assert runner.update_run(run.id, state="failed").state is RunState.CANCELLED
    with pytest.raises(ConflictError, match="only a running run"):
        runner.update_run(run.id)


def test_a_runs_token_is_its_requesters_for_that_model(control: Control, bikes: str) -> None:
    """It reads and writes the model's history, nothing else, and ends with the run."""
    ask(control)
    run, control.tokens["run"] = claim(control)
    me = control.client("run").me()
    assert (me.name, me.run, me.groups) == ("scientist", run.id, ("lab",))
    assert list(control.client("run").read_history("bikes"))
    with pytest.raises(ForbiddenError):
        control.client("run").promote("bikes", 1, None, "by myself")
    with pytest.raises(ForbiddenError):
        control.client("run").update_run(run.id, state="succeeded")
    control.client("runner").update_run(run.id, state="succeeded")
    with pytest.raises(UnauthenticatedError, match="past run"):
        control.client("run").me()


def test_a_run_reads_no_other_groups_model(control: Control, bikes: str) -> None:
    """The token has the rights of the run's model only."""
    control.tokens["run"] = ""
    ask(control, "cars", "stranger")
    _, control.tokens["run"] = claim(control)
    with pytest.raises(ForbiddenError, match="rights on 'bikes'"):
        list(control.client("run").read_history("bikes"))


def test_nobody_runs_what_is_anothers(control: Control, bikes: str) -> None:
    """Asking for a run of a model and cancelling it needs its owner group."""
    asked = ask(control)
    attempts: list[Callable[[], Run]] = [
        lambda: ask(control, "bikes", "stranger"),
        lambda: ask(control, "elsewhere", "stranger", model="bikes"),
        lambda: control.client("stranger").cancel_run(asked.id),
    ]
    for attempt in attempts:
        with pytest.raises(ForbiddenError, match="rights on 'bikes'"):
            attempt()


def test_a_runner_that_was_given_up_cannot_speak(control: Control) -> None:
    """The attempt that it names is not the present one."""
    ask(control, retries=1)
    first, _ = claim(control)
    assert control.client("runner").claim_run("runner 2", 1e-6)
    with pytest.raises(ConflictError, match="attempt 2, not 1"):
        control.client("runner").update_run(first.id, attempt=first.attempt, state="succeeded")


def test_a_runs_model_may_be_a_parameter(control: Control, bikes: str) -> None:
    """As pipelines that serve several models declare it."""
    asked = ask(control, "several", parameters={"model": "bikes"})
    run, control.tokens["run"] = claim(control)
    assert run.id == asked.id
    assert control.client("run").me().groups == ("lab",)
    with pytest.raises(ForbiddenError):
        ask(control, "several", "stranger", parameters={"model": "bikes"})


def test_a_new_models_owner_group_can_be_named(control: Control) -> None:
    """By who is of that group, or an operator; the run's notebook then makes the model for it."""
    with pytest.raises(ForbiddenError, match="not of the group 'rentals'"):
        ask(control, "fresh", "scientist", owner_group="rentals")
    ask(control, "fresh", "operator", owner_group="rentals")
    _, control.tokens["run"] = claim(control)
    schema, batches = to_batches(bikes_frame())
    control.client("run").put_history(
        "fresh", schema, batches, task="regression", target="bikers", event_time="at"
    )
    assert control.client().model("fresh").owner_group == "rentals"


def test_a_log_is_read_on_from_an_offset(control: Control) -> None:
    """In bytes, and never through the middle of a character."""
    run = ask(control)
    runner, viewer = control.client("runner"), control.client("viewer")
    assert viewer.run_log(run.id) == ("", 0)
    runner.append_run_log(run.id, "Zürich\n")
    text, after = viewer.run_log(run.id)
    assert (text, after) == ("Zürich\n", 8)
    runner.append_run_log(run.id, "🚲 done\n")
    assert viewer.run_log(run.id, after) == ("🚲 done\n", 18)
    assert viewer.run_log(run.id, 18) == ("", 18)


def test_a_half_written_character_waits(control: Control) -> None:
    """What is not yet whole is given with the next reading."""
    run = ask(control)
    control.client("runner").append_run_log(run.id, "x")
    log = control.parts.settings.path("logs", "runs", f"{run.id}.txt")
    with log.open("ab") as file:
        file.write("é".encode()[:1])
    assert control.client().run_log(run.id) == ("x", 1)
    with log.open("ab") as file:
        file.write("é".encode()[1:])
    assert control.client().run_log(run.id, 1) == ("é", 3)


def test_a_long_log_comes_in_parts(control: Control) -> None:
    """At most 1 MB at once."""
    run = ask(control)
    control.client("runner").append_run_log(run.id, "é" * 700_000)
    text, after = control.client().run_log(run.id)
    rest, end = control.client().run_log(run.id, after)
    assert (len(text) + len(rest), end) == (700_000, 1_400_000)


@pytest.mark.parametrize("run", ["unknown", "..", "../../registry.db", "%2e%2e%2fregistry.db"])
def test_an_unknown_run_is_a_404(control: Control, run: str) -> None:
    """A path never comes from the caller."""
    assert control.call("GET", f"/runs/{run}/log", "viewer").status_code == 404


def test_a_run_needs_a_kind_and_fair_numbers(control: Control) -> None:
    """What cannot be used is named."""
    for body, word in (
        ({"pipeline": "p"}, "body.kind"),
        ({"kind": "train", "pipeline": "p", "timeout_s": 0}, "body.timeout_s"),
        ({"kind": "train", "pipeline": "p", "retries": 99}, "body.retries"),
        ({"kind": "train", "pipeline": "p", "colour": "red"}, "body.colour"),
    ):
        answer = control.call("POST", "/runs", "scientist", json=body)
        assert answer.status_code == 422
        assert word in answer.json()["error"]["message"]


def test_an_unknown_run_cannot_be_ended(control: Control) -> None:
    """Cancel, update and log of it are 404."""
    with pytest.raises(NotFoundError):
        control.client("scientist").cancel_run("x")
    with pytest.raises(NotFoundError):
        control.client("runner").update_run("x")
    with pytest.raises(NotFoundError):
        control.client("runner").append_run_log("x", "text")


def test_the_queue_gives_up_who_is_silent(control: Control) -> None:
    """A run whose runner died is failed, or queued again while tries are left."""
    ask(control, retries=1)
    run, token = claim(control)
    again = control.client("runner").claim_run("runner 2", 1e-6)
    assert again is not None
    assert (again[0].id, again[0].attempt) == (run.id, 2)
    assert again[1] != token
    assert control.client("runner").claim_run("runner 3", 1e-6) is None
    assert control.client().run(run.id).state is RunState.FAILED


def test_kinds_of_runs_are_the_three(control: Control) -> None:
    """An unknown one is refused before it is queued."""
    assert {str(kind) for kind in RunKind} == {"prepare", "train", "retrain"}
    with pytest.raises(InvalidInputError, match="kind"):
        control.client("scientist").transport.send(
            "POST", "/runs", json={"kind": "guess", "pipeline": "p"}
        )
