"""What people's containers and volumes are called, and what they see."""

from pathlib import Path

from dockerspawner import DockerSpawner

from tiltyard.containers.servers import LAKE, PIPELINES, lake_file, mounts, names
from tiltyard.settings import Settings

PEOPLE = ("a", "a-b", "a--b", "A", "a.b", "ä", "a_b", "a@example.com", "a-2db")
SERVERS = ("", "b", "2db", "-b", "B", "a.b")


def test_no_two_servers_share_a_name() -> None:
    """Whatever people and their servers are called: nobody gets another's volume."""
    settings = Settings()
    escape = DockerSpawner().escape
    made = [
        name
        for user in PEOPLE
        for server in SERVERS
        for name in names(settings, escape(user), escape(server) if server else "")
    ]
    assert len(set(made)) == len(made)


def test_only_what_is_there_is_seen(tmp_path: Path) -> None:
    """No folder is made on the host by mounting it; containers may read the lake."""
    settings = Settings(home=tmp_path, pipelines={"path": tmp_path / "pipelines"})
    assert mounts(settings) == {}
    lake = settings.path("lake.db")
    lake.touch(mode=0o600)
    (tmp_path / "pipelines").mkdir()
    assert mounts(settings) == {str(lake): LAKE, str(tmp_path / "pipelines"): PIPELINES}
    assert lake.stat().st_mode & 0o777 == 0o644


def test_another_lake_is_no_file() -> None:
    """Its URL holds a password, which is nothing for people's containers."""
    assert lake_file(Settings(lake={"url": "mysql://reader:secret@db/lake"})) is None
