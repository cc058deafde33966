"""Settings of Tiltyard's own processes and databases."""

from pathlib import Path

from tiltyard.settings.base import Section


class ControlSettings(Section):
    """Where control listens."""

    host: str = "127.0.0.1"
    """Address it binds."""
    port: int = 8700
    """Port it binds."""
    confirm_timeout_s: float = 10.0
    """How long a promotion waits for gateways before it answers 202."""
    max_upload_mb: int = 2048
    """Largest version folder that is accepted."""


class GatewaySettings(Section):
    """Where the gateway listens, and its limits."""

    name: str = "gateway"
    """Names its spool's folder and its line in `tiltyard gateway list`."""
    host: str = "127.0.0.1"
    """Address it binds."""
    port: int = 8701
    """Port it binds."""
    max_body_bytes: int = 8_000_000
    """Larger requests get 413."""
    max_rows: int = 10_000
    """Requests of more rows get 413."""
    max_batch_rows: int = 256
    """Rows that go to a scorer at once."""
    max_pending_rows: int = 20_000
    """Rows waiting for scorers, over all models; beyond it calls get 503."""
    max_pending_requests: int = 128
    """Calls under way; beyond it calls get 503 before they are parsed."""
    answer_timeout_s: float = 30.0
    """A call that takes longer gets 504."""
    idle_timeout_s: float = 75.0
    """How long a kept-alive connection may be silent."""
    header_timeout_s: float = 10.0
    """How long a client may take to send a request's head and body."""
    segment_bytes: int = 16_000_000
    """Size at which the spool begins a new segment."""
    keep_confirmed_s: float = 900.0
    """How long a segment stays after all of it was confirmed in the store."""


class WorkerSettings(Section):
    """How the worker moves data."""

    batch_records: int = 2_000
    """Records that the relay writes at once."""
    poll_s: float = 0.2
    """How often an idle task looks for work."""
    lease_s: float = 10.0
    """How long a task stays with a worker that is silent."""


class RunnerSettings(Section):
    """How runs are executed."""

    concurrency: int = 1
    """Runs at once."""
    poll_s: float = 0.5
    """How often it asks for work."""
    heartbeat_s: float = 2.0
    """How often it reports a run."""
    lost_after_s: float = 30.0
    """A running run without a heartbeat for this long is failed or tried again."""
    memory_mb: int = 4096
    """Memory of a run's container without swap, in MB."""
    cpus: float = 2.0
    """Processors' time that a run's container may take."""
    pids: int = 512
    """Processes and threads that a run's container may have."""
    disk_mb: int = 10_000
    """What the files of a run's container may take of the disk, in MB; it is ended beyond that."""


class DatabaseSettings(Section):
    """A database by URL; empty means the embedded SQLite file in the home folder."""

    url: str = ""
    """SQLAlchemy URL; empty means the SQLite file in the home folder."""


class PipelineSettings(Section):
    """Where the parameterized notebooks are."""

    path: Path = Path("pipelines")
    """Folder with one folder a pipeline."""


class ClientSettings(Section):
    """How a notebook, the CLI or another process reaches control and the gateway."""

    url: str = ""
    """Control's URL; empty means the embedded one."""
    token: str = ""
    """Empty means the file `tokens/cli` in the home folder."""
    gateway_url: str = ""
    """The gateway's URL; empty means the embedded one."""
    application_token: str = ""
    """Token for the gateway; empty means one that the library has issued to itself."""
