"""What a run leaves is not to be trusted: no link is followed, nothing is waited for."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from support.training import make_pipeline
from tiltyard.errors import InvalidInputError, UnavailableError
from tiltyard.training.folder import RunFolder, read_plain
from tiltyard.training.results import logged_version, pack_version, written_history
from tiltyard.training.usage import Usage
from tiltyard.training.watch import Watch
from tiltyard.types.registry import RunProgress


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    """A link, a pipe, a socket, a folder and too much are refused at once."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("link", "folder", "pipe", "socket"):
            with pytest.raises(InvalidInputError, match=rf"{name} is no plain file"):
                read_plain(tmp_path / name, 100)
    assert read_plain(tmp_path / "secret", 6) == b"secret"
    with pytest.raises(InvalidInputError, match="larger than 5 bytes"):
        read_plain(tmp_path / "secret", 5)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "nothing", 5)


def test_results_behind_links_are_refused(tmp_path: Path) -> None:
    """Also when the whole folder of the version is one."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("version.json", "history.json"):
        (outside / name).write_text("{}")
    out = tmp_path / "out"
    out.mkdir()
    (out / "version").symlink_to(outside)
    (out / "history.json").symlink_to(outside / "history.json")
    with pytest.raises(InvalidInputError, match="version is no plain file"):
        logged_version(out)
    with pytest.raises(InvalidInputError, match=r"history\.json is no plain file"):
        written_history(out)


def test_a_run_is_cleaned_whatever_it_made(tmp_path: Path) -> None:
    """What was made read-only goes; what links lead to stays."""
    outside = tmp_path / "outside"
    (outside / "kept").mkdir(parents=True)
    folder = RunFolder(tmp_path / "run")
    folder.prepare(make_pipeline(tmp_path / "pipelines", ["1"]).path)
    assert folder.source.read_bytes() == (folder.work / "train.ipynb").read_bytes()
    (folder.out / "closed" / "below").mkdir(parents=True)
    (folder.out / "closed").chmod(0)
    (folder.out / "link").symlink_to(outside)
    folder.clean()
    assert [path.name for path in folder.path.iterdir()] == ["log.txt"]
    assert (outside / "kept").exists()


def test_strange_lines_of_progress_are_passed_over(tmp_path: Path) -> None:
    """Only the last whole line that says something counts."""
    told: list[RunProgress] = []
    watch = Watch(tmp_path / "progress", told.append)
    watch.look()
    lines = [b'{"done": 1, "total": 2, "note": "x"}', b"[]", b"\xff", b"[" * 100_000, b'{"done": 2']
    (tmp_path / "progress").write_bytes(b"\n".join(lines))
    watch.look()
    assert told == [RunProgress(done=1, total=2, note="x")]
    assert watch.error(1) == "the notebook's process died (exit code 1); the log may say why"
    (tmp_path / "progress").unlink()
    os.mkfifo(tmp_path / "progress")
    watch.look()
    assert len(told) == 1


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """A real one: before the notebook begins, and when a version is packed."""
    notebook = make_pipeline(tmp_path / "pipelines", ["1"]).path
    (notebook.parent / "data.csv").write_bytes(bytes(400_000))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    try:
        with pytest.raises(UnavailableError, match="is full: free some space"):
            RunFolder(small / "run").prepare(notebook)
        with pytest.raises(UnavailableError, match="is full: free some space"):
            pack_version(notebook.parent, small / "version.tar")
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_usage_counts_every_file(tmp_path: Path) -> None:
    """Empty ones, too; links are not followed."""
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    outside.write_bytes(bytes(2_000_000))
    (run / "link").symlink_to(outside)
    assert Usage([run], most_mb=1).trouble() is None
    for number in range(300):
        (run / str(number)).touch()
    assert Usage([run], most_mb=1).trouble() == "its files take more than 1 MB (runner.disk_mb)"
