"""`python -m demo`; see scripts/demo."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from demo import screen
from demo.site import ROOT, Site, make_home
from demo.story import Story

HOURS_A_SECOND = 6.0
INTERRUPTED = 130


def main() -> int:
    """Tell the story; return the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    # A script's background process is born with Ctrl-C ignored, and would hand that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _home(options) as home, Site(home, options.images) as site:
            _tell(site, options)
    except screen.StepFailedError as error:
        screen.failed(f"This did not come out: {error}")
        return 1
    except KeyboardInterrupt:
        return 0 if _STAYING else INTERRUPTED
    return 0


_STAYING: list[str] = []
"""Not empty when the demo is one that stays up: Ctrl-C is the way to end it."""


def _tell(site: Site, options: argparse.Namespace) -> None:
    speed = options.speed or (None if options.once else HOURS_A_SECOND)
    story = Story(site, speed, time.monotonic())
    if options.once:
        story.tell()
        screen.note("Every step came out. To try a call, leave out --once and use:")
        screen.command([story.curl])
        return
    _STAYING.append("")
    story.show()
    screen.chapter("It stays up until Ctrl-C. To look at:")
    for line in _looks(site):
        screen.note(line)
    signal.pause()


def _looks(site: Site) -> list[str]:
    tiltyard = f"{ROOT / '.venv/bin/tiltyard'} --home {site.home} --config {site.config}"
    return [
        f"{tiltyard} versions bikeshare      (or models, metrics, ledger, runs, doctor …)",
        f"{site.monitor_url}   the Monitor",
        f"{site.gateway_url}/models/bikeshare/openapi.json   what applications send",
        f"{site.gateway_url}/metrics   for Prometheus",
        f"http://127.0.0.1:{site.control_port}/api/v1/openapi.json   control's API",
        f"{site.home / 'logs'}   what its processes say",
    ]


@contextmanager
def _home(options: argparse.Namespace) -> Iterator[Path]:
    """Give the demo's folder, made anew; a temporary one is removed again."""
    if options.once and options.home is None:
        with tempfile.TemporaryDirectory(prefix="tiltyard-demo-") as folder:
            make_home(Path(folder))
            yield Path(folder)
        return
    home = options.started_in / (options.home or ROOT / ".tiltyard-demo")
    make_home(home)
    yield home


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--once", action="store_true", help="play quickly, then end")
    parser.add_argument("--speed", type=float, help="hours of the data a second")
    parser.add_argument("--home", type=Path, help="folder of its state")
    parser.add_argument("--images", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--started-in", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    return parser


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
