"""What every container of Tiltyard is denied, and what it may use."""

from typing import Any

from tiltyard.settings import Limits

TMP_MB = 64
LOG_SIZE = "10m"
LOG_FILES = "2"
CPU_PERIOD_US = 100_000
OOM_SCORE_ADJ = 500
"""Where the machine itself has no memory left, containers end before the gateway does."""


def hardened(limits: Limits, *, user: str | None = None, tmp_mb: int = TMP_MB) -> dict[str, Any]:
    """Return the Docker SDK's keyword arguments for a container that may do little.

    No capability, no way to gain one, a root file system that cannot be written, bounded memory
    (swap included), processor time, processes and logs.

    Args:
        limits: what it may use.
        user: ``uid:gid``; None is the image's own, which is no root.
        tmp_mb: size of /tmp, which counts as its memory.
    """
    memory = limits.memory_mb * 2**20
    own = {} if user is None else {"user": user}
    return {
        **own,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "tmpfs": {"/tmp": f"size={tmp_mb}m,mode=1777", "/run": "size=1m,mode=1777"},  # noqa: S108  the container's own
        "mem_limit": memory,
        "memswap_limit": memory,
        # Not nano_cpus: with these the engine refuses more processors than this machine has.
        "cpu_period": CPU_PERIOD_US,
        "cpu_quota": int(limits.cpus * CPU_PERIOD_US),
        "pids_limit": limits.pids,
        "oom_score_adj": OOM_SCORE_ADJ,
        "init": True,
        "log_config": {
            "type": "json-file",
            "config": {"max-size": LOG_SIZE, "max-file": LOG_FILES},
        },
    }
