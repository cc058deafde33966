"""How many CPUs this process may use."""

import math
import os
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1 = (
    Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)


def allowed_cpus() -> int:
    """Return the CPUs that affinity and the control group leave, at least 1, rounded up."""
    here = len(os.sched_getaffinity(0))
    quota = _quota()
    return here if quota is None else max(1, min(here, math.ceil(quota)))


def _quota() -> float | None:
    words = _read(_V2).split() or [_read(path).strip() for path in _V1]
    try:
        quota, period = map(int, words)
    except ValueError:  # "max", or no control group is to be seen
        return None
    return quota / period if quota > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
