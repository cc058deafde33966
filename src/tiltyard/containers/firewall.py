"""Rules of this host that hold users' containers to hub, control and gateway: iptables.

Rules stand in chains of our own, so that they are replaced in one step and leave no trace.
"""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tiltyard.containers.labels import mark
from tiltyard.settings import Settings, config_file

logger = logging.getLogger(__name__)

RECORDS = Path("/run/tiltyard")
"""Where root leaves word of rules that hold until the machine restarts; others cannot see rules."""

_ENGINES = "DOCKER-USER"
"""Chain that the engine asks first and leaves to others."""

_TIMEOUT_S = 20
_SBIN = "/usr/sbin:/sbin"


def interface(settings: Settings) -> str:
    """Return the name of the bridge's interface on this host, at most 15 bytes."""
    return f"ty-{mark(settings)}"


def close_firewall(settings: Settings) -> None:
    """Hold what comes from users' containers to the three ports, where this process may.

    Called again it makes the rules anew, so that what another program has flushed is back.
    """
    if not _may():
        return
    try:
        _restore(*_old_jumps(settings), *_chains_of(settings), *_jumps(settings))
    except subprocess.SubprocessError as error:
        _record(settings).unlink(missing_ok=True)
        said = str(getattr(error, "stderr", None) or error).strip()
        logger.warning("iptables refuses the rules of users' containers: %s", said)
        return
    RECORDS.mkdir(mode=0o755, exist_ok=True)
    _record(settings).write_text("\n".join(_chains_of(settings)))


def open_firewall(settings: Settings) -> None:
    """Remove the rules, where this process may; those that are not there are no error."""
    if not _may():
        return
    empty = (f":{chain} - [0:0]" for chain in _names(settings))
    gone = (f"-X {chain}" for chain in _names(settings))
    try:
        _restore(*_old_jumps(settings), *empty, *gone)
    except subprocess.SubprocessError as error:
        logger.warning("The rules of users' containers stay: %s", error)
        return
    _record(settings).unlink(missing_ok=True)


def not_held(settings: Settings) -> str | None:
    """Return what users' containers may reach that they should not, and how that is mended.

    None: the rules hold, as far as this process can see.
    """
    try:
        if _record(settings).read_text() == "\n".join(_chains_of(settings)) and _stand(settings):
            return None
    except OSError:
        pass
    config = config_file()
    known = f" --config {config.absolute()}" if config.is_file() else ""
    program = Path(sys.executable).with_name("tiltyard")
    return (
        "Users' containers reach every port of this host that is bound to 0.0.0.0 or to "
        f"{settings.bridge}, not only hub, control and gateway: the rules of iptables that hold "
        "them to these need root. Let root run "
        f"`sudo {program} --home {settings.path()}{known} network up` after each start of the "
        "machine."
    )


def _stand(settings: Settings) -> bool:
    """Whether nobody has flushed the rules; only root can see it."""
    if not _may():
        return True
    into, _ = _names(settings)
    return any(line.endswith(f"-j {into}") for line in _listed("INPUT"))


def _chains_of(settings: Settings) -> tuple[str, ...]:
    """Return the two chains as iptables-restore reads them."""
    into, out = _names(settings)
    listening = (settings.hub.api_port, settings.control.port, settings.gateway.port)
    ports = f"-m multiport --dports {','.join(map(str, listening))}"
    known = "-m conntrack --ctstate ESTABLISHED,RELATED -j"
    return (
        f":{into} - [0:0]",
        f":{out} - [0:0]",
        f"-A {into} -i lo -j RETURN",
        f"-A {into} {known} ACCEPT",
        f"-A {into} -i {interface(settings)} -d {settings.bridge} -p tcp {ports} -j ACCEPT",
        f"-A {into} -j REJECT",
        f"-A {out} {known} RETURN",
        f"-A {out} -j {'RETURN' if settings.docker.outside else 'REJECT'}",
    )


def _jumps(settings: Settings) -> list[str]:
    """Return what leads into the chains, before all other rules."""
    into, out = _names(settings)
    jumps = [
        f"-I INPUT -i {interface(settings)} -j {into}",
        # From the company's network nobody comes to the bridge's address past another rule.
        f"-I INPUT -d {settings.bridge} -j {into}",
    ]
    if _listed(_ENGINES):
        jumps.append(f"-I {_ENGINES} -i {interface(settings)} -j {out}")
    return jumps


def _old_jumps(settings: Settings) -> list[str]:
    """Return the removal of every jump there is, also of one for another address."""
    names = _names(settings)
    lines = (line for chain in ("INPUT", _ENGINES) for line in _listed(chain))
    return [line.replace("-A", "-D", 1) for line in lines if line.endswith(names)]


def _names(settings: Settings) -> tuple[str, str]:
    return f"TY-{mark(settings)}-IN", f"TY-{mark(settings)}-OUT"


def _record(settings: Settings) -> Path:
    return RECORDS / f"firewall-{mark(settings)}"


def _may() -> bool:
    return os.geteuid() == 0 and _path("iptables") is not None


def _path(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def _listed(chain: str) -> list[str]:
    """Return a chain's rules; of one that is not there, none."""
    try:
        return _run("iptables", "-S", chain).splitlines()
    except subprocess.CalledProcessError:
        return []


def _restore(*lines: str) -> None:
    """Change rules, all or none of them."""
    _run("iptables-restore", "--noflush", given="\n".join(("*filter", *lines, "COMMIT", "")))


def _run(program: str, *words: str, given: str = "") -> str:
    return subprocess.run(  # noqa: S603  found on the PATH, words of our own
        (_path(program) or program, "-w", "5", *words),
        input=given,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    ).stdout
