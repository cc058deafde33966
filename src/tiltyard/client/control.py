"""The client of control's API."""

from typing import Self

from tiltyard.client.gateway_calls import GatewayCalls
from tiltyard.client.live_calls import LiveCalls
from tiltyard.client.model_calls import ModelCalls
from tiltyard.client.run_calls import RunCalls
from tiltyard.client.transport import Transport
from tiltyard.types.registry import Principal


class ControlClient(ModelCalls, LiveCalls, RunCalls, GatewayCalls):
    """Control's API with one principal's token; usable from several threads.

    Every method raises the ``TiltyardError`` that control meant, ``ControlAwayError`` when
    nobody answers. Batches are Arrow; iterators of them hold a connection until they end.

    Args:
        url: control's URL, without ``/api/v1``.
        token: the principal's token; without one only ``health`` answers.
        timeout: seconds that control may stay silent in an ordinary call.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0) -> None:
        super().__init__(Transport(url, token, timeout=timeout))

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def health(self) -> dict[str, str]:
        """Return ``status`` and ``version`` of control; needs no token."""
        answer: dict[str, str] = self.transport.send("GET", "/health").json()
        return answer

    def me(self) -> Principal:
        """Return who the token belongs to."""
        return self._get(Principal, "/me")
