"""A predict or actuals request on its connection, from its head to its answer."""

from typing import TYPE_CHECKING

from tiltyard.errors import TiltyardError
from tiltyard.gateway.http import error_lines, json_body
from tiltyard.gateway.paths import Target
from tiltyard.gateway.tickets import Answer, PredictAnswer

if TYPE_CHECKING:  # a connection makes its calls
    from tiltyard.gateway.protocol import GatewayProtocol

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _NoEvent:
    """Stands for the event by which uvicorn wakes an ASGI application."""

    def set(self) -> None:
        """Nobody waits."""


class HotCall:
    """Looks to uvicorn's protocol like one of its cycles.

    Attributes:
        refusal: why it is not answered, known before its body is read.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.
        is_head: the answer must have no body.
        is_current: all earlier requests of the connection are answered.
        more_body: the request is not whole yet.
        keep_alive: the connection stays open behind the answer.
        response_complete: the answer is written.
        disconnected: the client is gone.
    """

    __slots__ = (
        "_body",
        "_early",
        "_protocol",
        "_ready",
        "_status",
        "disconnected",
        "expects_continue",
        "is_current",
        "is_head",
        "keep_alive",
        "message_event",
        "more_body",
        "refusal",
        "response_complete",
        "target",
    )

    def __init__(self, protocol: "GatewayProtocol", target: Target | None) -> None:
        self._protocol = protocol
        self.target = target
        self.refusal: TiltyardError | None = None
        self.expects_continue = False
        self.is_current = False
        self.is_head = False
        self.more_body = True
        self.keep_alive = False
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NO_EVENT
        self._body: list[bytes] = []
        self._early = False
        self._status = 0
        self._ready = b""

    def add(self, body: bytes) -> None:
        """Take a part of the body; a refused call forgets it."""
        if self.refusal is None:
            self._body.append(body)

    def complete(self) -> None:
        """Take the news that the request is whole."""
        self.more_body = False
        if self.is_current:
            self._go()

    def answer_early(self) -> None:
        """Answer the refusal without waiting for the body, which then ends the connection."""
        self._early = True
        self.keep_alive = False
        if self.is_current:
            self._go()

    def take_turn(self) -> None:
        """Take the news that all earlier requests are answered."""
        self.is_current = True
        if not self.more_body or self._early:
            self._go()
        elif self.expects_continue:
            self._protocol.transport.write(CONTINUE)

    def _go(self) -> None:
        if self.response_complete:
            return
        if self.refusal is not None:
            self.failed(self.refusal)
        elif self.target is not None:
            self._call(self.target)

    def _call(self, target: Target) -> None:
        parts, self._body = self._body, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        core = self._protocol.core
        if target.verb == "predict":
            core.predict(target.model, body, self)
        else:
            core.actuals(target.model, body, self)

    # Reply

    def prepare(self, answer: Answer) -> None:
        """Render what will be the answer."""
        self._status = 200 if isinstance(answer, PredictAnswer) else 202
        self._ready = json_body(answer)

    def answered(self) -> None:
        """Write it."""
        self._write(self._status, self._ready)

    def failed(self, error: TiltyardError) -> None:
        """Write why there is no answer."""
        self._write(error.status, json_body(error.body()), error_lines(error))

    def _write(self, status: int, body: bytes, extra: bytes = b"") -> None:
        self.response_complete = True
        protocol = self._protocol
        if self.disconnected or protocol.transport.is_closing():
            return
        protocol.transport.write(
            protocol.shared.renderer.response(
                protocol.server_state.default_headers,
                status,
                b"" if self.is_head else body,
                extra,
                close=not self.keep_alive,
            )
        )
        if self.more_body:
            protocol.linger()
        elif not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


_NO_EVENT = _NoEvent()
