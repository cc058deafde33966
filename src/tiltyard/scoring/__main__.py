"""``python -m tiltyard.scoring``: serves one version's folder on a unix socket."""

import argparse
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

# Before any numerical library is imported: a scorer computes on one thread.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from tiltyard.errors import TiltyardError  # noqa: E402  after the environment is set
from tiltyard.scoring.batches import BatchScorer  # noqa: E402
from tiltyard.scoring.engines import ENGINES, load_engine  # noqa: E402
from tiltyard.scoring.engines.base import Engine  # noqa: E402
from tiltyard.scoring.folder import verify_folder  # noqa: E402
from tiltyard.scoring.frames import Hello, encode_hello  # noqa: E402
from tiltyard.scoring.golden import read_golden, repeat_golden  # noqa: E402
from tiltyard.scoring.server import ScorerServer  # noqa: E402
from tiltyard.types.registry import VersionManifest  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, repeat the golden rows, serve; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # A signal while loading ends at once; the server takes over later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.memory_mb is not None:
        size = options.memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    try:
        _run(options)
    except TiltyardError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(options: argparse.Namespace) -> None:
    manifest = verify_folder(options.folder)
    name = options.engine or manifest.engine
    engine = load_engine(name, options.folder, manifest)
    with contextlib.closing(engine):
        repeat_golden(engine, read_golden(options.folder, manifest.signature))
        if options.check:
            return
        hello = encode_hello(_hello(manifest, engine, options.version))
        ScorerServer(BatchScorer(engine, manifest.signature), hello, options.socket).serve()


def _hello(manifest: VersionManifest, engine: Engine, version: int | None) -> Hello:
    return Hello(
        model=manifest.model,
        signature=manifest.signature.digest,
        engine=engine.name,
        language=manifest.language,
        pid=os.getpid(),
        version=version,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tiltyard.scoring",
        description="Serve one version. Exit 3: it is not what it should be; see the message.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="the version's folder")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--socket", type=Path, help="path of the unix socket to serve on")
    target.add_argument("--check", action="store_true", help="repeat the golden rows and end")
    parser.add_argument("--engine", default="", help=f"by default the version's; {list(ENGINES)}")
    parser.add_argument("--version", type=int, help="the version's number, for the hello")
    parser.add_argument("--memory-mb", type=int, help="limit of the process's data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
