"""What a build's plain progress tells: its steps, and why it failed."""

import re
from collections.abc import Callable
from pathlib import Path

from tiltyard.errors import TiltyardError

LINE_LENGTH = 100
_LINE = re.compile(r"^#(\d+) (?:(\[.*?\]) )?(.*)$")
_INTERNAL = "[internal]"
_NOISE = re.compile(r"--(mount|chmod|from)=\S+ +|\. \S+/inputs\.sh && ")
_TELLING = re.compile(r"\b(error|E:|failed|fatal|cannot|denied|no space)", re.IGNORECASE)
_TIMED = re.compile(r"^\d+\.\d+ +")
_FULL = (
    "The disk of the Docker Engine is full: free space (`docker system df` shows what takes it), "
    "then build again."
)
_OTHER_FILES = "The package index gives other files than the lock files pin: ask who keeps it."
_CERTIFICATES = "Give your company's certificates by --ca FILE."
_SOURCES = (
    "A build needs a Python package index and a mirror of Debian: give yours by --pip-config and "
    "--mirror, or a way out by --proxy."
)
_ADVICE = {
    r"(?i)no space left on device": _FULL,
    r"DO NOT MATCH THE HASHES": _OTHER_FILES,
    r"(?i)certificate.verif": _CERTIFICATES,
    r"No matching distribution|Could not find a version|Unable to locate package": _SOURCES,
    r"Failed to fetch|Could not resolve|Temporary failure|Connection|timed out": _SOURCES,
}


class BuildFailedError(TiltyardError):
    """A step of a build failed; nothing is recorded."""

    code = "build_failed"

    def __init__(self, name: str, said: str, log: Path) -> None:
        text = log.read_text(errors="replace")
        advice = next((_ADVICE[words] for words in _ADVICE if re.search(words, text)), "")
        super().__init__(
            f"Image {name} was not built, and nothing is recorded: {said.rstrip('.')}. The whole "
            f"log is in {log}. {advice}".rstrip(),
            image=name,
            log=str(log),
        )


class Steps:
    """Follows a build by its lines."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._titles: dict[str, str] = {}
        self._output: dict[str, list[str]] = {}
        self._failed: str | None = None
        self._last = "it said nothing"

    def read(self, line: str) -> None:
        """Take the next line of a build; tell when it begins a step."""
        if line.strip():
            self._last = line.strip()
        match = _LINE.match(line)
        if match is None:
            return
        number, where, text = match.groups()
        if where and number not in self._titles:
            step = f"{where} {_NOISE.sub('', text)}"
            self._titles[number] = step
            if not where.startswith(_INTERNAL):
                self._tell(shortened(step))
        elif text.startswith("ERROR"):
            self._failed = number
        else:
            self._output.setdefault(number, []).append(_TIMED.sub("", text))

    def why(self) -> str:
        """Return the step that failed, and its most telling line."""
        if self._failed is None:
            return self._last
        said = self._output.get(self._failed, [])
        telling = [line for line in said if _TELLING.search(line)] or said or [self._last]
        return f"{self._titles.get(self._failed, 'a step')}: {telling[-1].strip()}"


def shortened(step: str) -> str:
    """Return a step in one line of a terminal."""
    return step if len(step) <= LINE_LENGTH else f"{step[: LINE_LENGTH - 1]}…"
