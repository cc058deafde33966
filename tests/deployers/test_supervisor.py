"""The supervisor with real processes."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tiltyard.deployers.child import Program
from tiltyard.deployers.groups import MARK, Groups, members, read_groups, start_time, write_groups
from tiltyard.deployers.supervisor import GROUPS_FILE, Supervisor

pytestmark = pytest.mark.slow

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("up", flush=True)
time.sleep(60)
"""


def python(name: str, code: str, grace_s: float = 5.0) -> Program:
    """Return a program of Python code."""
    return Program(name, (sys.executable, "-c", code), grace_s=grace_s)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Return a supervisor at work."""
    with Supervisor(tmp_path, tmp_path / "sockets") as supervisor:
        yield supervisor


def test_a_child_writes_its_log_and_leads_a_group(supervisor: Supervisor, tmp_path: Path) -> None:
    """A child is the leader of a group of its own, and what it prints is in logs/<name>.log."""
    supervisor.start(python("one", "print('hello', flush=True); import time; time.sleep(60)"))
    until(lambda: "hello" in supervisor.tail("one"))
    status = supervisor.status("one")
    assert status is not None
    assert status.pid is not None
    assert os.getpgid(status.pid) == status.pid
    assert os.getsid(status.pid) == os.getsid(0)
    assert (tmp_path / "logs" / "one.log").read_text() == "hello\n"


def test_a_dead_child_is_restarted_ever_later(supervisor: Supervisor, tmp_path: Path) -> None:
    """It is started again after 0.2 s, then 0.4 s, then 0.8 s."""
    marks = tmp_path / "marks"
    code = f"import time; print(time.monotonic(), file=open({str(marks)!r}, 'a')); exit(7)"
    supervisor.start(python("brief", code))
    until(lambda: marks.exists() and len(marks.read_text().split()) >= 4)
    starts = [float(line) for line in marks.read_text().split()]
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert gaps[0] >= 0.2
    assert gaps[1] >= 0.4
    assert gaps[2] >= 0.8
    status = supervisor.status("brief")
    assert status is not None
    assert status.exit_code == 7
    assert status.early_ends >= 3


def test_a_killed_child_leaves_no_helper_behind(supervisor: Supervisor) -> None:
    """When a child dies, what it had started dies too, also in another session."""
    supervisor.start(python("parent", PARENT))
    until(lambda: "up" in supervisor.tail("parent"))
    status = supervisor.status("parent")
    assert status is not None
    assert status.pid is not None
    helpers = psutil.Process(status.pid).children()
    assert len(helpers) == 1
    os.kill(status.pid, signal.SIGKILL)
    until(lambda: not alive(helpers[0].pid))
    until(lambda: (now := supervisor.status("parent")) is not None and now.runs == 2)


def test_one_that_ignores_sigterm_is_killed(supervisor: Supervisor) -> None:
    """After its grace a child is killed."""
    supervisor.start(python("stubborn", STUBBORN, grace_s=0.3))
    until(lambda: "up" in supervisor.tail("stubborn"))
    status = supervisor.status("stubborn")
    assert status is not None
    assert status.pid is not None
    supervisor.stop("stubborn")
    assert not alive(status.pid)
    assert supervisor.status("stubborn") is None


def test_a_program_that_is_not_there_is_not_taken(supervisor: Supervisor, tmp_path: Path) -> None:
    """Starting what cannot be started is an error of the caller and leaves no child."""
    with pytest.raises(FileNotFoundError):
        supervisor.start(Program("absent", (str(tmp_path / "absent"),)))
    assert supervisor.names() == []


def test_the_end_removes_record_and_sockets(tmp_path: Path) -> None:
    """After an orderly end there is no child, no watchdog, no record and no socket."""
    sockets = tmp_path / "sockets"
    (sockets / "abc" / "0").mkdir(parents=True)
    (sockets / "abc" / "0" / "s.sock").touch()
    with Supervisor(tmp_path, sockets) as supervisor:
        (sockets / "abc" / "0").mkdir(parents=True, exist_ok=True)
        (sockets / "abc" / "0" / "s.sock").touch()
        supervisor.start(python("one", "import time; time.sleep(60)"))
        groups = read_groups(tmp_path / GROUPS_FILE)
        assert groups is not None
        assert len(groups.leaders) == 1
        assert groups.watchdog is not None
    assert not (tmp_path / GROUPS_FILE).exists()
    assert not sockets.exists()
    assert not any(alive(pid) for pid in (*groups.leaders, groups.watchdog[0]))


def start_parent(tmp_path: Path) -> tuple[subprocess.Popen[bytes], Groups]:
    """Start a process that supervises two children, in a session of its own."""
    code = f"""
import sys, time
from pathlib import Path
from tiltyard.deployers.child import Program
from tiltyard.deployers.supervisor import Supervisor
home = Path({str(tmp_path)!r})
with Supervisor(home, home / "sockets") as supervisor:
    supervisor.start(Program("stubborn", (sys.executable, "-c", {STUBBORN!r})))
    supervisor.start(Program("parent", (sys.executable, "-c", {PARENT!r})))
    while not all("up" in supervisor.tail(name) for name in supervisor.names()):
        time.sleep(0.02)
    (home / "sockets" / "abc" / "0").mkdir(parents=True)
    (home / "sockets" / "abc" / "0" / "s.sock").touch()
    print("ready", flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    groups = read_groups(tmp_path / GROUPS_FILE)
    assert groups is not None
    assert len(members(groups)) == 3
    return parent, groups


def reap(parent: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process."""
    assert parent.stdout is not None
    parent.stdout.close()
    parent.wait()


@pytest.mark.parametrize("group", [False, True], ids=["alone", "with its group"])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, group: bool) -> None:
    """Kill -9 of the parent, alone or with its whole group, ends all children and sockets."""
    parent, groups = start_parent(tmp_path)
    if group:
        os.killpg(parent.pid, signal.SIGKILL)
    else:
        parent.kill()
    reap(parent)
    until(lambda: not (tmp_path / GROUPS_FILE).exists())
    assert not members(groups)
    assert not (tmp_path / "sockets").exists()
    assert groups.watchdog is not None
    until(lambda: groups.watchdog is not None and not alive(groups.watchdog[0]))


def test_a_second_start_ends_what_even_the_watchdog_could_not(tmp_path: Path) -> None:
    """With parent and watchdog killed the children live on, until the next start."""
    parent, groups = start_parent(tmp_path)
    assert groups.watchdog is not None
    os.kill(groups.watchdog[0], signal.SIGKILL)
    parent.kill()
    reap(parent)
    assert len(members(groups)) == 3
    with Supervisor(tmp_path, tmp_path / "sockets"):
        assert not members(groups)
        assert not (tmp_path / "sockets").exists()


def test_a_recycled_pid_is_left_alone(tmp_path: Path) -> None:
    """A recorded group whose leader started at another time is somebody else's."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], process_group=0
    ) as other:
        start = start_time(other.pid)
        assert start is not None
        write_groups(tmp_path / GROUPS_FILE, Groups("x" * 16, leaders={other.pid: start - 1}))
        with Supervisor(tmp_path, tmp_path / "sockets"):
            assert other.poll() is None
        assert members(Groups("x" * 16, leaders={other.pid: start})) == {other.pid}
        other.kill()


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    """Whatever the file holds, a start does not fail on it."""
    for text in ("", "{", "[]", '{"mark": "a", "watchdog": [], "leaders": {}}'):
        (tmp_path / GROUPS_FILE).write_text(text)
        assert read_groups(tmp_path / GROUPS_FILE) is None


def test_the_mark_is_in_every_childs_environment(supervisor: Supervisor) -> None:
    """The mark names the child, so that what it starts is known as its own."""
    code = f"import os, time; print(os.environ[{MARK!r}], flush=True); time.sleep(60)"
    supervisor.start(python("marked", code))
    until(lambda: ".marked." in supervisor.tail("marked"))


def test_a_long_log_is_moved_aside(supervisor: Supervisor, tmp_path: Path) -> None:
    """At a start a log of more than 10 MB becomes .1."""
    log = tmp_path / "logs" / "long.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * 10_000_001)
    supervisor.start(python("long", "print('new', flush=True); import time; time.sleep(60)"))
    until(lambda: "new" in supervisor.tail("long"))
    assert log.read_text() == "new\n"
    assert log.with_suffix(".log.1").stat().st_size == 10_000_001
