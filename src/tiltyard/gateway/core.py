"""One core for all transports: begin a call, score it, record it, answer it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tiltyard.errors import TiltyardError, TimedOutError, UnavailableError
from tiltyard.gateway.recorder import Recorder
from tiltyard.gateway.recording import answer_of, decode_actuals, prediction_records
from tiltyard.gateway.stats import Stats
from tiltyard.gateway.table import Pools, RoutedModel, Routes
from tiltyard.gateway.tickets import ActualsAnswer, Call, Reply, Ticket
from tiltyard.settings import GatewaySettings

SWEEP_S = 0.25


class Core:
    """Answers predict and actuals calls under the current routes, through the spool.

    All of it runs on the event loop. A call's errors go to its reply; nothing is raised.

    Args:
        settings: the gateway's limits.
        on_drained: called when the last call of older routes has ended.
    """

    def __init__(
        self, settings: GatewaySettings, on_drained: Callable[[], None], scorer_uid: int
    ) -> None:
        self.settings = settings
        self.routes: Routes | None = None
        self.spool: Recorder | None = None
        self.pools = Pools(settings, scorer_uid, on_scored=self._record, on_failed=self._fail)
        self._on_drained = on_drained
        self._calls: dict[Call, None] = {}
        self._rows = 0
        self.stats = Stats(self._gauges())

    @property
    def pending(self) -> int:
        """Calls under way."""
        return len(self._calls)

    @property
    def busy(self) -> bool:
        """Whether further calls must be turned away."""
        return len(self._calls) >= self.settings.max_pending_requests

    def turn_away_when_busy(self) -> None:
        """Raise UnavailableError when as many calls as may be are under way."""
        if self.busy:
            raise self.too_busy()

    def too_busy(self) -> UnavailableError:
        """Return what a call is told that is one too many."""
        limit = self.settings.max_pending_requests
        return UnavailableError(
            f"{limit} calls are under way already: try again in a moment.", reason="busy"
        )

    def current(self) -> Routes:
        """Return the routes; UnavailableError before there are any."""
        if self.routes is None or self.spool is None:
            raise UnavailableError(
                "The gateway has no routes yet: control has not answered since its first start.",
                reason="no_routes",
            )
        return self.routes

    def predict(self, name: str, body: bytes, reply: Reply) -> None:
        """Answer a call whose body is ``{"rows": [{…}, …]}``."""
        now_us = time.time_ns() // 1000
        try:
            routes = self.current()
            model = routes.model(name)
            rows, events = model.rows.decode(body, now_us)
            self._begin(routes, model, rows, events, now_us, reply)
        except TiltyardError as error:
            self._refuse(name, "predict", error, reply)

    def predict_rows(self, name: str, rows: list[dict[str, Any]], reply: Reply) -> None:
        """Answer a call whose rows were read from something else than that JSON."""
        now_us = time.time_ns() // 1000
        try:
            routes = self.current()
            model = routes.model(name)
            converted, events = model.rows.convert(rows, now_us)
            self._begin(routes, model, converted, events, now_us, reply)
        except TiltyardError as error:
            self._refuse(name, "predict", error, reply)

    def actuals(self, name: str, body: bytes, reply: Reply) -> None:
        """Record a call whose body is ``{"actuals": [{"id", "value", "known_at"?}, …]}``."""
        now_us = time.time_ns() // 1000
        try:
            routes = self.current()
            model = routes.model(name)
            actuals = decode_actuals(model, routes.id_key, body, now_us)
            call = Call(routes, model, actuals, now_us, self._deadline(), reply)
            self._record_actuals(call, actuals)
        except TiltyardError as error:
            self._refuse(name, "actuals", error, reply)

    def refuse(self, name: str | None, verb: str, error: TiltyardError) -> None:
        """Count a call that was turned away before it began."""
        known = self.routes is not None and name in self.routes.models
        reason = error.details.get("reason", error.code)
        self.stats.refused(name or "" if known else "", verb, error.status, str(reason))

    async def sweep(self) -> None:
        """End calls whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._time_out(time.monotonic())

    def _begin(
        self,
        routes: Routes,
        model: RoutedModel,
        rows: Sequence[Any],
        events: list[int | None] | None,
        now_us: int,
        reply: Reply,
    ) -> None:
        champion, pool, packer = model.answering()
        self._make_room(len(rows))
        ticket = Ticket(
            routes,
            model,
            rows,
            champion.version,
            events,
            packer.numeric(rows),
            packer.others(rows),
            now_us,
            self._deadline(),
            reply,
        )
        pool.submit(ticket)
        self._open(ticket)

    def _make_room(self, rows: int) -> None:
        if self._rows + rows > self.settings.max_pending_rows:
            raise UnavailableError(
                f"{self._rows} rows are waiting already: try again in a moment.", reason="busy"
            )

    def _deadline(self) -> float:
        return time.monotonic() + self.settings.answer_timeout_s

    def _open(self, call: Call) -> None:
        self._calls[call] = None
        self._rows += len(call.rows)
        call.routes.open_calls += 1

    def _end(self, call: Call) -> None:
        call.ended = True
        del self._calls[call]
        self._rows -= len(call.rows)
        routes = call.routes
        routes.open_calls -= 1
        if routes.open_calls == 0 and routes is not self.routes:
            self._on_drained()

    def _record(self, tickets: list[Ticket]) -> None:
        """Queue the scored tickets of one batch for the disk, as one batch."""
        spool = self.spool
        if spool is None:
            raise RuntimeError("a call began without a spool")
        total = sum([len(ticket.rows) for ticket in tickets])
        seq, model_seq = spool.reserve(tickets[0].model.name, total)
        records = prediction_records(tickets, spool.gateway, seq, model_seq)
        spool.append(records, partial(self._recorded, tickets, "predict"))
        for ticket in tickets:
            ticket.reply.prepare(answer_of(ticket, spool.gateway))

    def _recorded(self, calls: Sequence[Call], verb: str, error: TiltyardError | None) -> None:
        for call in calls:
            if call.ended:
                continue
            if error is not None:
                self._fail(call, error)
            else:
                self._answer(call, verb)

    def _record_actuals(self, call: Call, actuals: Sequence[Any]) -> None:
        spool = self.spool
        if spool is None:
            raise RuntimeError("a call began without a spool")
        name = call.model.name
        seq, model_seq = spool.reserve(name, len(actuals))
        records = [
            actual.record(spool.gateway, seq + i, name, model_seq + i, call.received_us)
            for i, actual in enumerate(actuals)
        ]
        self._open(call)
        spool.append(records, partial(self._recorded, [call], "actuals"))
        call.reply.prepare(ActualsAnswer(name, len(actuals)))

    def _answer(self, call: Call, verb: str) -> None:
        self._end(call)
        seconds = time.time_ns() / 1e9 - call.received_us / 1e6
        status = 200 if verb == "predict" else 202
        self.stats.answered(call.model.name, verb, status, len(call.rows), seconds)
        call.reply.answered()

    def _fail(self, call: Call, error: TiltyardError) -> None:
        self._end(call)
        verb = "predict" if isinstance(call, Ticket) else "actuals"
        self._refuse(call.model.name, verb, error, call.reply)

    def _refuse(self, name: str, verb: str, error: TiltyardError, reply: Reply) -> None:
        self.refuse(name, verb, error)
        reply.failed(error)

    def _time_out(self, now: float) -> None:
        late = []
        for call in self._calls:  # in the order of their deadlines
            if call.deadline > now:
                break
            late.append(call)
        if not late:
            return
        for pool in self.pools.all():
            pool.drop_hung([call for call in late if isinstance(call, Ticket)])
        for call in late:
            if not call.ended:
                self._fail(call, self._too_late())

    def _too_late(self) -> TimedOutError:
        return TimedOutError(
            f"There was no answer within {self.settings.answer_timeout_s:g} s.", reason="timeout"
        )

    def _gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        return {
            "calls_open": ("Calls under way", lambda: self.pending),
            "rows_waiting": ("Rows that wait for a scorer", self.pools.rows_waiting),
            "route_number": ("The routes in force", self._routes_number),
            "spool_durable_seq": ("Last record on disk", lambda: self._spool("durable_seq")),
            "spool_disk_full": ("1 when the disk is full", lambda: self._spool("disk_full")),
        }

    def _routes_number(self) -> float:
        return self.routes.number if self.routes else 0

    def _spool(self, name: str) -> float:
        return float(getattr(self.spool, name)) if self.spool else 0
