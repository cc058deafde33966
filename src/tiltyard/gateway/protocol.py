"""HTTP/1.1 of the gateway: calls are answered here, all other routes by uvicorn and Starlette.

A subclass of uvicorn's protocol. A predict or actuals request becomes a `HotCall`, which stands
in the connection's pipeline where uvicorn has its ASGI cycles; so answers keep their order.
"""

import time
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tiltyard.errors import TiltyardError, TooLargeError
from tiltyard.gateway.errors import (
    BadRequestError,
    HeadTooLargeError,
    SlowClientError,
)
from tiltyard.gateway.heads import (
    MAX_CHUNKING_BYTES,
    MAX_HEAD_BYTES,
    Head,
    too_large,
    without_upgrade,
)
from tiltyard.gateway.hot_call import HotCall
from tiltyard.gateway.paths import Target
from tiltyard.gateway.recall import Recalled
from tiltyard.gateway.shared import Shared


class GatewayProtocol(HttpToolsProtocol):
    """One client's connection.

    Attributes:
        reading_since: when the request being read began; 0 when none is.
        quiet_since: when the last answer was given, or the connection made.
    """

    cycle: Any
    pipeline: Any

    def __init__(
        self,
        shared: Shared,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.shared = shared
        self.core = shared.core
        self.reading_since = 0.0
        self.quiet_since = time.monotonic()
        self._head = Head()
        self._hot: HotCall | None = None
        self._messages = 0
        self._memorable: Recalled | None = None
        self._body_bytes = 0
        self._in_head = False
        self._framing_bytes = 0
        self._stalled_since = 0.0
        self._half_closed = False
        self._lingers = False
        self._ignores = False
        self._answering: Any = None
        self._advancing = False

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        self.shared.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; answers that come later go nowhere."""
        self.shared.connections.discard(self)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; what is wrong HTTP is answered with 400 in its turn, and ends the connection."""
        at_start = not self.reading_since and self._may_answer_now()
        if at_start and (found := self.shared.heads.find(data)) is not None:
            self._begin_recalled(*found)
            return
        head, body_bytes, messages = self._head, self._body_bytes, self._messages
        while data and not self._lingers:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._not_upgraded() + data[upgrade.args[0] :]
                continue
            except httptools.HttpParserError as error:
                self._refuse_now(BadRequestError(f"This is not valid HTTP/1.1: {error}."))
            if self._head is head:
                self._count_framing(len(data) + body_bytes - self._body_bytes)
            whole = at_start and not self.reading_since and self._messages == messages + 1
            if whole and self._memorable is not None:
                self.shared.heads.remember(data, self._memorable)
            return

    def eof_received(self) -> bool | None:  # type: ignore[override]  # True keeps the transport
        """Still answer a client that has shut down its sending side."""
        self._half_closed = True
        if self._lingers:
            return None
        if self.reading_since:
            self._refuse_now(BadRequestError("The connection ended within a request."))
        if self.cycle is None or self.cycle.response_complete:
            return None
        self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Note since when the client does not read its answers."""
        super().pause_writing()
        self._stalled_since = time.monotonic()

    def resume_writing(self) -> None:
        """Go on with pipelined requests once the client reads its answers."""
        super().resume_writing()
        self._advance()

    # parser callbacks

    def on_message_begin(self) -> None:
        """Note the time; the ASGI scope is only made for requests that need it."""
        self.reading_since = time.monotonic()
        self.url = b""
        self.headers = []
        self._messages += 1
        self._memorable = None
        self._head = Head()
        self._in_head = True
        self._framing_bytes = self._body_bytes = 0
        self._hot = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what decides about a call; what comes behind a body decides nothing."""
        if not self._in_head:
            return
        name = name.lower()
        self.headers.append((name, value))
        self._head.add(name, value)

    def on_headers_complete(self) -> None:
        """Choose who answers."""
        self._in_head = False
        self._ignores = self._lingers or self.transport.is_closing() or self.parser.should_upgrade()
        if self._ignores:
            return
        target = self.shared.paths.target(self.url)
        version, limit = self.parser.get_http_version(), self.core.settings.max_body_bytes
        unfit = self._head.flaw(self.url, version, limit)
        if unfit is not None:
            self.core.refuse(target.model if target else None, "http", unfit)
            self._begin_hot(HotCall(self, target), unfit, early=True)
        elif target is not None:
            self._begin_call(target)
        else:
            self._begin_asgi()

    def _begin_call(self, target: Target) -> None:
        fields, early = self._head.fields, self._head.expects_continue
        authorization = fields.get(b"authorization", b"")
        refusal = self._head.not_a_call(self.parser.get_method(), target.path)
        if refusal is not None:
            self.core.refuse(target.model, target.verb, refusal)
        else:
            refusal = self._refusal(target, authorization)
        call = HotCall(self, target)
        self._begin_hot(call, refusal, early=early)
        if refusal is None and call.keep_alive and b"content-length" in fields and not early:
            self._memorable = Recalled(target, authorization, self._head.content_length)

    def _begin_recalled(self, recalled: Recalled, body: bytes) -> None:
        """Begin a whole call whose head was parsed before."""
        if self.core.busy:
            self.core.refuse(recalled.target.model, recalled.target.verb, self.shared.busy)
            self.quiet_since = time.monotonic()
            self.transport.write(self.shared.busy_answer)
            return
        call = HotCall(self, recalled.target)
        call.keep_alive = True
        call.refusal = self._refusal(recalled.target, recalled.authorization)
        call.add(body)
        call.complete()
        self._enter(call)

    def _begin_asgi(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url, self.expect_100_continue = url, self._head.expects_continue
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Gather the body, up to what is allowed."""
        if self._ignores:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self.core.settings.max_body_bytes:
            self._body_too_large()
        elif self._hot is None:
            super().on_body(body)
        else:
            self._hot.add(body)

    def on_message_complete(self) -> None:
        """Hand a whole request on."""
        if self._ignores:
            return
        self.reading_since = 0.0
        hot, self._hot = self._hot, None
        if hot is None:
            super().on_message_complete()
        else:
            hot.complete()

    def _not_upgraded(self) -> bytes:
        """Return the request's head anew, for a new parser, without the offer to upgrade."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse_now(BadRequestError("This is no proxy."))
            return b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return without_upgrade(method, self.url, self.headers)

    def _count_framing(self, size: int) -> None:
        """End a client whose head does not end, or what is around the parts of its body."""
        self._framing_bytes += size
        limit = MAX_HEAD_BYTES if self._in_head else MAX_CHUNKING_BYTES
        if self._framing_bytes > limit and not self._lingers:
            self._refuse_now(HeadTooLargeError(limit))

    # the pipeline

    def on_response_complete(self) -> None:
        """Go on with the next pipelined request, or wait for one."""
        self.server_state.total_requests += 1
        self.quiet_since = time.monotonic()
        if not self.transport.is_closing():
            self._advance()

    def _begin_hot(self, call: HotCall, refusal: TiltyardError | None, *, early: bool) -> None:
        self._hot = call
        call.refusal = refusal
        call.is_head = self.parser.get_method() == b"HEAD"
        call.keep_alive = (
            self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        )
        call.expects_continue = self._head.expects_continue
        if refusal is not None and early:
            call.answer_early()
        self._enter(call)

    def _enter(self, call: HotCall) -> None:
        """Let a call have its turn, or wait for it."""
        self.cycle = call
        if self._may_answer_now():
            self._answering = call
            call.take_turn()
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((call, None))

    def _may_answer_now(self) -> bool:
        return self._all_answered() and not self.flow.write_paused

    def _all_answered(self) -> bool:
        return not self.pipeline and (self._answering is None or self._answering.response_complete)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _advance(self) -> None:
        """Start pipelined requests, one after the other, while each is answered at once."""
        if self._advancing:
            return
        self._advancing = True
        while self._may_start():
            cycle, app = self.pipeline.pop()
            if isinstance(cycle, HotCall):
                self._answering = cycle
                cycle.take_turn()
                if not cycle.response_complete:
                    break
            else:
                self._start_asgi_task(cycle, app)
                break
        self._advancing = False
        if not self.pipeline:
            self._read_on()

    def _may_start(self) -> bool:
        return bool(
            self.pipeline and not self.flow.write_paused and not self.transport.is_closing()
        )

    def _read_on(self) -> None:
        if self.flow.read_paused:
            self.flow.resume_reading()
            if self.reading_since:
                self.reading_since = time.monotonic()

    # refusals

    def _refusal(self, target: Target, authorization: bytes) -> TiltyardError | None:
        """Return why a call is turned away before its body is read, if it is."""
        try:
            self.core.turn_away_when_busy()
            self.core.current().authorize(authorization, target.model)
        except TiltyardError as error:
            self.core.refuse(target.model, target.verb, error)
            return error
        return None

    def _too_large(self) -> TooLargeError:
        return too_large(self.url, self.core.settings.max_body_bytes)

    def _body_too_large(self) -> None:
        """Answer 413 although the body, which has no length, goes on."""
        if self._hot is None:
            self._refuse_now(self._too_large())
        elif self._hot.refusal is None:
            error = self._hot.refusal = self._too_large()
            if self._hot.target:
                self.core.refuse(self._hot.target.model, self._hot.target.verb, error)
            self._hot.answer_early()

    def _refuse_now(self, error: TiltyardError) -> None:
        """Answer in its turn a request that will never be whole, and end the connection."""
        self.reading_since = 0.0
        self.core.refuse(None, "http", error)
        call, self._hot = self._hot, None
        if call is not None:
            call.refusal = error
            call.answer_early()
            return
        self._drop_unfinished_cycle()
        call = HotCall(self, None)
        call.refusal = error
        call.answer_early()
        self._enter(call)

    def _drop_unfinished_cycle(self) -> None:
        """Let an ASGI application that still reads this request's body see a disconnect."""
        cycle = self.cycle
        if cycle is None or isinstance(cycle, HotCall) or not cycle.more_body:
            return
        if cycle.response_started:
            self.transport.close()
        cycle.disconnected = cycle.response_complete = True
        cycle.message_event.set()
        self.pipeline = type(self.pipeline)(p for p in self.pipeline if p[0] is not cycle)

    def linger(self) -> None:
        """Send what was written, then read and forget what the client still sends.

        A close with unread data would reset the connection, and the answer would be lost.
        """
        self._lingers = True
        self.pipeline.clear()
        if self._half_closed:
            self.transport.close()
            return
        self.reading_since = time.monotonic()
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def check_time(self, now: float) -> None:
        """End the connection if the client is too slow, or silent for too long."""
        settings = self.core.settings
        if self.flow.write_paused and now - self._stalled_since > settings.idle_timeout_s:
            self._end()
        elif self.reading_since:
            late = now - self.reading_since > settings.header_timeout_s
            if late and self._lingers:
                self._end()
            elif late and not self.flow.read_paused:
                self._refuse_now(SlowClientError(settings.header_timeout_s))
        elif self._all_answered() and now - self.quiet_since > settings.idle_timeout_s:
            self._end()

    def _end(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()
