"""What the registry holds, as control hands it out. Times are aware and UTC."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from tiltyard.types.base import Document
from tiltyard.types.schema import CallSchema, ModelName, Signature, Task


class Scope(StrEnum):
    """What a principal may do. The last three belong to Tiltyard's own processes."""

    VIEWER = "viewer"
    SCIENTIST = "scientist"
    PROMOTER = "promoter"
    OPERATOR = "operator"
    GATEWAY = "gateway"
    WORKER = "worker"
    RUNNER = "runner"


class Principal(Document):
    """Who calls control.

    Attributes:
        groups: rights on a model belong to its owner group; an operator has them all.
        run: the run in whose name a notebook calls.
    """

    name: str
    groups: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()
    run: str | None = None


class IssuedToken(Document):
    """A token just made; its text is shown this once and kept as SHA-256 only."""

    id: str
    name: str
    token: str


class TokenInfo(Document):
    """A token that exists: an application's (``models``) or a principal's (``scopes``)."""

    id: str
    name: str
    models: tuple[str, ...] | None = None
    scopes: tuple[Scope, ...] | None = None
    created_at: datetime
    created_by: str


class Thresholds(Document):
    """When `tiltyard check` says that a model degrades.

    Attributes:
        metric: whose live value is compared with the champion's on history.
        max_worsening: relative worsening that is still accepted (0.25 = 25 %).
        min_rows: fewer live rows with actuals than this are no evidence.
        max_psi: population stability index of an input above which it has drifted.
        window_days: how far the live window reaches back from the newest event.
        webhook: URL that is POSTed the report when the model degrades.
    """

    metric: str
    max_worsening: float = Field(default=0.25, ge=0)
    min_rows: int = Field(default=200, ge=1)
    max_psi: float | None = Field(default=None, gt=0)
    window_days: float = Field(default=30, gt=0)
    webhook: str | None = None


class Model(Document):
    """A model: a name, a task, an owner group, a call schema, at most one champion."""

    name: ModelName
    number: int
    task: Task
    owner_group: str
    call_schema: CallSchema
    thresholds: Thresholds
    champion: int | None = None
    description: str = ""
    created_at: datetime
    created_by: str


class Provenance(Document):
    """Where a version comes from. Digests are SHA-256, hex."""

    notebook: str | None = None
    notebook_digest: str | None = None
    history_digest: str | None = None
    lock_digest: str | None = None
    image: str | None = None
    source_revision: str | None = None
    train_start: datetime | None = None
    train_end: datetime | None = None


class VersionManifest(Document):
    """``version.json`` of a version's folder.

    Attributes:
        engine: what serves it by default: ``sklearn``, ``onnx`` or ``r``.
        engine_note: why it is that engine and no faster one.
        dtypes: input → pandas dtype in which the estimator saw it, ``date`` for dates; of an R
            version R's type, see `scoring.engines.r.frames`.
        files: path in the folder → SHA-256, for all files but version.json itself.
        metrics: on the time-ordered hold-out, from the engine that serves.
        history_metrics: on the whole history.
        histograms: column → bin edges fixed at training, for summaries and drift.
    """

    model: ModelName
    task: Task
    language: str
    engine: str
    engine_note: str = ""
    signature: Signature
    dtypes: dict[str, str] = {}
    description: str = ""
    parameters: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    history_metrics: dict[str, Any] = {}
    histograms: dict[str, tuple[float, ...]] = {}
    provenance: Provenance = Provenance()
    libraries: dict[str, str] = {}
    files: dict[str, str]
    created_at: datetime


class Version(Document):
    """One registered version.

    Attributes:
        digest: of its folder, as the artifact store names it.
    """

    model: ModelName
    version: int
    digest: str
    manifest: VersionManifest
    run: str | None = None
    retired: bool = False
    created_at: datetime
    created_by: str


class DeploymentState(StrEnum):
    """States of a deployment; ``refused`` means that the golden rows differed."""

    STARTING = "starting"
    HEALTHY = "healthy"
    REFUSED = "refused"
    FAILED = "failed"
    RETIRED = "retired"


class Size(StrEnum):
    """Size classes of scorers; ``sizes`` of the settings says what each may use."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Deployment(Document):
    """A version that runs, or is to run, on a runtime.

    Attributes:
        id: short, safe in a socket's path.
        endpoints: one a replica, stable over restarts: ``unix:/path``.
        size: class of what each replica may use of its host, such as ``small``.
        reason: why it is refused or failed, or what a start waits for.
    """

    id: str
    model: ModelName
    version: int
    runtime: str
    replicas: int
    engine: str
    state: DeploymentState
    endpoints: tuple[str, ...]
    size: Size = Size.SMALL
    reason: str | None = None
    created_at: datetime
    created_by: str


class Replica(Document):
    """How one scorer of a deployment is now.

    Attributes:
        number: from 0.
        answers: whether it answers on its socket, as the version that it should be.
        pid: its process's id, as its container or this machine counts; None if it is silent.
    """

    number: int
    endpoint: str
    answers: bool
    pid: int | None = None


class LedgerEntry(Document):
    """One line of a model's ledger; ``hash`` = SHA-256(previous hash + stored bytes)."""

    model: ModelName
    number: int
    at: datetime
    who: str
    action: str
    from_version: int | None
    to_version: int | None
    reason: str
    evidence: dict[str, Any] = {}
    previous_hash: str
    hash: str


class LedgerHead(Document):
    """Length of a ledger and the hash of its last entry (empty text for none)."""

    length: int = 0
    hash: str = ""


class Promotion(Document):
    """What a promotion did.

    Attributes:
        route_number: the route change that carries it.
        waiting_for: gateways that had not confirmed in time; empty means that no answer
            comes from the old champion any more.
    """

    entry: LedgerEntry
    route_number: int
    waiting_for: tuple[str, ...] = ()


class RunState(StrEnum):
    """States of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether no more will happen."""
        return self not in {RunState.QUEUED, RunState.RUNNING}


class RunKind(StrEnum):
    """What a run is to leave behind: a history, a version, or nothing declared."""

    PREPARE = "prepare"
    TRAIN = "train"
    RETRAIN = "retrain"


class RunRequest(Document):
    """What to run.

    Attributes:
        pipeline: a folder of the pipelines, or for a retrain the model's name.
        owner_group: whose model a new one is; by default of the requester's first group.
        timeout_s: seconds until the run is killed and failed.
        retries: how often a failed run is started again.
        force: run even if a run with the same key has succeeded.
        deploy: deploy the version as a challenger when the run succeeds.
    """

    kind: RunKind
    pipeline: str
    model: ModelName | None = None
    parameters: dict[str, Any] = {}
    owner_group: str | None = None
    timeout_s: float = Field(default=3600, gt=0)
    retries: int = Field(default=0, ge=0, le=10)
    force: bool = False
    deploy: bool = False


class RunProgress(Document):
    """Cells done, of how many; the heading of the one at work."""

    done: int = 0
    total: int = 0
    note: str = ""


class Run(Document):
    """One execution of a notebook."""

    id: str
    request: RunRequest
    state: RunState
    progress: RunProgress = RunProgress()
    key: str | None = None
    version: int | None = None
    history: str | None = None
    error: str | None = None
    attempt: int = 0
    requested_by: str
    created_at: datetime
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested: bool = False


class Event(Document):
    """Something that happened, as the event stream tells it.

    Attributes:
        kind: ``version.logged``, ``deployment.healthy``, ``model.promoted``, ``run.progress`` …
    """

    id: int
    at: datetime
    kind: str
    model: str | None = None
    data: dict[str, Any] = {}


class HistorySnapshot(Document):
    """An immutable history: ``digest`` is SHA-256 over control's own encoding of its rows."""

    model: ModelName
    digest: str
    rows: int
    columns: tuple[str, ...]
    event_start: datetime | None = None
    event_end: datetime | None = None
    created_at: datetime
    created_by: str
