"""The demo, as a visitor runs it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO_S = 1200


@pytest.mark.slow
@pytest.mark.timeout(DEMO_S + 60)
@pytest.mark.parametrize("options", [(), pytest.param(("--docker",), marks=pytest.mark.long)])
def test_the_demo_comes_out(options: tuple[str, ...]) -> None:
    """Every step is checked by the demo itself; here its end and its story are."""
    demo = subprocess.run(
        [str(ROOT / "scripts" / "demo"), "--once", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEMO_S,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout
    for told in (
        "version 1 answers the next call",
        "the champion's error has grown",
        "its challenger does better",
        "exit code 1: ",
        "version 3 answers the next call",
        "the ledger tells: 1 → 3 → 1 → 3",
        "Every step came out",
        "curl -s http://",
    ):
        assert told in demo.stdout


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    """The demo removes only what an earlier demo has made."""
    (tmp_path / "mine").write_text("precious")
    demo = subprocess.run(
        [str(ROOT / "scripts" / "demo"), "--once", "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert demo.returncode == 1
    assert (tmp_path / "mine").read_text() == "precious"
