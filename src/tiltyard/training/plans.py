"""What a run is to do: its notebook, parameters, data and key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiltyard.client.control import ControlClient
from tiltyard.errors import ConflictError, InvalidInputError
from tiltyard.training.keys import module_digests, notebook_digest, run_key
from tiltyard.training.pipelines import (
    Notebook,
    Parameter,
    checked_parameters,
    declared_parameters,
    effective_parameters,
    find_notebook,
    language_of,
    read_notebook,
)
from tiltyard.types.registry import HistorySnapshot, RunKind, RunRequest, Version

WINDOW = ("start", "end")
"""Parameters that cut the training data: a retraining takes all there is, unless told."""

MODEL = "model"
"""A notebook that declares it can serve several models; a run's model is given by it."""

Environment = Callable[[str], str]


@dataclass(frozen=True)
class Plan:
    """All that is known before a run begins.

    Attributes:
        parameters: the given ones, checked.
        effective: with the notebook's defaults.
        language: of the notebook: ``python`` or ``r``.
        notebook_digest: of the notebook's code.
        history: the snapshot to train on; None for prepare.
        key: of the run; None for prepare, whose input nobody can hash.
    """

    notebook: Notebook
    parameters: dict[str, Any]
    effective: dict[str, Any]
    language: str
    notebook_digest: str
    model: str
    history: HistorySnapshot | None = None
    key: str | None = None


def plan_run(
    client: ControlClient, pipelines: Path, request: RunRequest, environment: Environment
) -> Plan:
    """Return what a request comes to.

    Args:
        client: of control.
        pipelines: their folder.
        request: of a person or a scheduler.
        environment: tells by language the digest of the software that it is executed with.

    Raises:
        NotFoundError: no such pipeline, model or history.
        InvalidInputError: a parameter cannot be used.
        ConflictError: a retraining without a champion.
    """
    if request.kind is RunKind.RETRAIN:
        return _retraining(client, pipelines, request, environment)
    notebook = find_notebook(pipelines, request.pipeline, request.kind.value)
    plan = _plan(notebook, request.parameters, request.model)
    if request.kind is RunKind.PREPARE:
        return plan
    return _with_history(plan, client.history(plan.model), environment)


def check_request(pipelines: Path, request: RunRequest) -> None:
    """Check pipeline and parameters of a prepare or train request, without control.

    Raises:
        NotFoundError: no such pipeline.
        InvalidInputError: a parameter cannot be used.
    """
    if request.kind is not RunKind.RETRAIN:
        notebook = find_notebook(pipelines, request.pipeline, request.kind.value)
        _plan(notebook, request.parameters, request.model)


def _retraining(
    client: ControlClient, pipelines: Path, request: RunRequest, environment: Environment
) -> Plan:
    model = request.model or request.pipeline
    version = _champion(client, model)
    notebook = _notebook_of(version, pipelines)
    declared = declared_parameters(read_notebook(notebook.path))
    kept = {n: v for n, v in version.manifest.parameters.items() if n in declared}
    parameters = {n: v for n, v in kept.items() if n not in WINDOW} | request.parameters
    history = client.extend_history(model)
    return _with_history(_plan(notebook, parameters, model), history, environment)


def _champion(client: ControlClient, model: str) -> Version:
    champion = client.model(model).champion
    if champion is None:
        raise ConflictError(f"{model} has no champion to retrain: promote a version first.")
    return client.version(model, champion)


def _notebook_of(version: Version, pipelines: Path) -> Notebook:
    name = version.manifest.provenance.notebook or ""
    pipeline, _, step = name.partition("/")
    if not pipeline or not step:
        raise InvalidInputError(
            f"{version.model} version {version.version} comes from a free notebook: only one that "
            "a pipeline's train.ipynb made can be retrained."
        )
    return find_notebook(pipelines, pipeline, step)


def _plan(notebook: Notebook, given: Mapping[str, Any], model: str | None) -> Plan:
    content = read_notebook(notebook.path)
    declared = declared_parameters(content)
    parameters = checked_parameters(_with_model(given, model, declared), declared)
    effective = effective_parameters(parameters, declared)
    return Plan(
        notebook=notebook,
        parameters=parameters,
        effective=effective,
        language=language_of(content),
        notebook_digest=notebook_digest(content),
        model=model or str(effective.get(MODEL) or notebook.pipeline),
    )


def _with_model(
    given: Mapping[str, Any], model: str | None, declared: Mapping[str, Parameter]
) -> dict[str, Any]:
    if model is None or MODEL not in declared:
        return dict(given)
    return {MODEL: model, **given}


def _with_history(plan: Plan, history: HistorySnapshot, environment: Environment) -> Plan:
    modules = module_digests(plan.notebook.path.parent)
    software = environment(plan.language)
    key = run_key(plan.notebook_digest, modules, plan.effective, software, history.digest)
    return replace(plan, history=history, key=key)
