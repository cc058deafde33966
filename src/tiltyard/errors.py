"""The errors of Tiltyard: one root; each takes values and writes its own sentence.

Anything may import this module. HTTP servers turn the root into
``{"error": {"code", "message", "details"}}`` in one place each.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar


class TiltyardError(Exception):
    """Root of every error that a person or a program is meant to read.

    Attributes:
        status: the HTTP status it becomes.
        code: a stable name for programs.
        exit_code: what the CLI exits with.
        details: values for programs; JSON-able.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return the one JSON shape of every error."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class InvalidInputError(TiltyardError):
    """What was given cannot be used; the message says what to give instead."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_input"
    exit_code = 2


class NotFoundError(TiltyardError):
    """Something named does not exist."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"

    def __init__(self, kind: str, name: object, known: Sequence[object] = ()) -> None:
        listing = f" Known: {', '.join(map(str, known))}." if known else ""
        super().__init__(f"There is no {kind} {str(name)!r}.{listing}", kind=kind, name=str(name))


class ConflictError(TiltyardError):
    """The state of things does not allow it now."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class LostRaceError(ConflictError):
    """A promotion expected another champion than the one there is."""

    code = "lost_race"

    def __init__(self, model: str, expected: int | None, actual: int | None) -> None:
        super().__init__(
            f"The champion of {model!r} is {_version(actual)}, not {_version(expected)} as "
            "expected: somebody else changed it. Look at it again, then promote.",
            model=model,
            expected_champion=expected,
            champion=actual,
        )


class StaleLeaseError(ConflictError):
    """A write under a lease that has been given to another since."""

    code = "stale_lease"

    def __init__(self, task: str, holder: str) -> None:
        super().__init__(
            f"The lease of task {task!r} is not {holder!r}'s any more: take it again.",
            task=task,
            holder=holder,
        )


class NotDeployedError(ConflictError):
    """A version must have a healthy deployment before it can be promoted."""

    code = "not_deployed"

    def __init__(self, model: str, version: int) -> None:
        super().__init__(
            f"{model} version {version} has no healthy deployment: "
            f"run `tiltyard deploy {model} {version}` first.",
            model=model,
            version=version,
        )


class UnauthenticatedError(TiltyardError):
    """No token, or one that nobody knows."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class ForbiddenError(TiltyardError):
    """A known caller who may not do this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class TooLargeError(TiltyardError):
    """More rows or bytes than one request may carry."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnavailableError(TiltyardError):
    """A part that is needed does not answer now; trying again later may help."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


class TimedOutError(TiltyardError):
    """Something took longer than it may."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "timed_out"
    exit_code = 4


class ControlAwayError(UnavailableError):
    """Control does not answer."""

    code = "control_away"
    exit_code = 5

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"Control at {url} does not answer ({why}). Is `tiltyard up` running?", url=url
        )


class HubAwayError(UnavailableError):
    """JupyterHub does not answer."""

    code = "hub_away"
    exit_code = 5

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"The hub at {url} does not answer ({why}). Is `tiltyard up` running, with "
            "hub.enabled?",
            url=url,
        )


class IntegrityError(TiltyardError):
    """Bytes are not what their digest says: an artifact, the ledger, a table."""

    code = "integrity"


class MissingExtraError(TiltyardError):
    """An optional library is not installed."""

    code = "missing_extra"

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"{library} is not installed: run `pip install 'tiltyard[{extra}]'`.",
            library=library,
            extra=extra,
        )


def _version(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
