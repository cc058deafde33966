"""A load of one request over keep-alive connections, as a process of its own.

``python http_load.py URL CONNECTIONS SECONDS [RATE]`` with the body on stdin. Without a rate the
loop is closed: each connection sends when it was answered. With a rate it is open: requests are
sent when their time has come, whatever happened to the others, on a free connection; latency
counts from the scheduled time. Prints one JSON line.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

import uvloop

AUTHORIZATION = "Bearer application-token"


class Client(asyncio.Protocol):
    """One connection; answers are small and come whole or in few parts."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.buffer = b""
        self.since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Be free."""
        self.transport = transport
        self.load.free.append(self)

    def send(self, since: float) -> None:
        """Send the request; latency counts from ``since``."""
        self.since = since
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.buffer = b""
        self.load.answered(self, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it, if it was not meant."""
        self.load.lost += not self.load.ending


class Load:
    """All connections, and what came back."""

    def __init__(self, request: bytes, rate: float | None) -> None:
        self.request = request
        self.rate = rate
        self.free: deque[Client] = deque()
        self.waiting: deque[float] = deque()
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.lost = 0
        self.ending = False

    def answered(self, client: Client, status: int) -> None:
        """Count an answer; go on as the loop is."""
        now = time.perf_counter()
        self.statuses[status] += 1
        if status == 200:
            self.times.append(now - client.since)
        if self.ending:
            return
        if self.rate is None:
            client.send(now)
        elif self.waiting:
            client.send(self.waiting.popleft())
        else:
            self.free.append(client)

    async def run(self, host: str, port: int, connections: int, seconds: float) -> dict[str, Any]:
        """Connect, load for some seconds, report."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: Client(self), host, port)
        begun = time.perf_counter()
        if self.rate is None:
            for client in list(self.free):
                client.send(time.perf_counter())
            await asyncio.sleep(seconds)
        else:
            await self._schedule(begun, seconds, self.rate)
        took = time.perf_counter() - begun
        self.ending = True
        return self._report(took)

    async def _schedule(self, begun: float, seconds: float, rate: float) -> None:
        sent = 0
        while (now := time.perf_counter() - begun) < seconds:
            while sent < now * rate:
                at = begun + sent / rate
                sent += 1
                if self.free:
                    self.free.popleft().send(at)
                else:
                    self.waiting.append(at)
            await asyncio.sleep(0.001)

    def _report(self, took: float) -> dict[str, Any]:
        self.times.sort()
        count = len(self.times)
        return {
            "rate": count / took,
            "p50_ms": 1000 * self.times[count // 2] if count else None,
            "p99_ms": 1000 * self.times[min(count - 1, count * 99 // 100)] if count else None,
            "statuses": dict(self.statuses),
            "unsent": len(self.waiting),
            "lost": self.lost,
        }


def main() -> None:
    url, connections, seconds, *rate = sys.argv[1:]
    parts = urlsplit(url)
    body = sys.stdin.buffer.read()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: {AUTHORIZATION}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    load = Load(head.encode() + body, float(rate[0]) if rate else None)
    run = load.run(str(parts.hostname), int(parts.port or 80), int(connections), float(seconds))
    print(json.dumps(uvloop.run(run)))


if __name__ == "__main__":
    main()
