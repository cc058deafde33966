"""Calls about what is deployed, who is champion, and how it does."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from tiltyard.client.calls import Calls, text_of
from tiltyard.types.monitor import Overview, Series
from tiltyard.types.registry import (
    Deployment,
    DeploymentState,
    LedgerEntry,
    Promotion,
    Replica,
    Size,
)


class LiveCalls(Calls):
    """Deployments, champions, live data."""

    def deploy(
        self,
        model: str,
        version: int,
        replicas: int = 1,
        engine: str | None = None,
        size: Size | str = Size.SMALL,
    ) -> Deployment:
        """Ask for a version to run; it is a challenger when the deployment is healthy."""
        path = f"/models/{model}/versions/{version}/deploy"
        body = {"replicas": replicas, "engine": engine, "size": str(size)}
        return self._send(Deployment, "POST", path, body)

    def retire(self, model: str, version: int) -> Deployment:
        """Take a version's deployment away."""
        return self._send(Deployment, "POST", f"/models/{model}/versions/{version}/retire")

    def deployments(self, model: str | None = None) -> list[Deployment]:
        """Return the deployments of one or all models."""
        return self._list(Deployment, "/deployments", model=model)

    def replicas(self, deployment: str) -> list[Replica]:
        """Return how each scorer of a deployment is."""
        return self._list(Replica, f"/deployments/{deployment}/replicas")

    def scorer_log(self, deployment: str, replica: int = 0) -> str:
        """Return the end of what a scorer has written since its last start."""
        path = f"/deployments/{deployment}/replicas/{replica}/log"
        return self.transport.send("GET", path).text

    def set_deployment(
        self, deployment: str, state: DeploymentState | str, reason: str | None = None
    ) -> Deployment:
        """Record what the runtime made of a deployment."""
        body = {"state": str(state), "reason": reason}
        return self._send(Deployment, "PATCH", f"/deployments/{deployment}", body)

    def promote(
        self,
        model: str,
        version: int,
        expected_champion: int | None,
        reason: str,
        *,
        timeout: float = 60.0,
    ) -> Promotion:
        """Make a version champion if the champion is the expected one.

        Returns:
            With ``waiting_for`` empty no answer comes from the old champion any more; else it
            names the gateways that have not confirmed.

        Raises:
            LostRaceError: the champion is another.
            NotDeployedError: the version has no healthy deployment.
        """
        body = {"version": version, "expected_champion": expected_champion, "reason": reason}
        return self._send(Promotion, "POST", f"/models/{model}/promote", body, timeout=timeout)

    def rollback(
        self,
        model: str,
        reason: str,
        expected_champion: int | None = None,
        *,
        timeout: float = 60.0,
    ) -> Promotion:
        """Promote the champion before; errors as in ``promote``."""
        body: dict[str, Any] = {"reason": reason}
        if expected_champion is not None:
            body["expected_champion"] = expected_champion
        return self._send(Promotion, "POST", f"/models/{model}/rollback", body, timeout=timeout)

    def ledger(self, model: str) -> list[LedgerEntry]:
        """Return a model's ledger, oldest entry first."""
        return self._list(LedgerEntry, f"/models/{model}/ledger")

    def metrics(
        self,
        model: str,
        *,
        version: int | None = None,
        source: str = "live",
        start: datetime | None = None,
        end: datetime | None = None,
        known_by: datetime | None = None,
        basis: str = "rows",
    ) -> dict[str, Any]:
        """Return a ``types.monitor.MetricsReport`` as a dictionary; by default of the champion."""
        window = {"start": text_of(start), "end": text_of(end), "known_by": text_of(known_by)}
        how = {"version": version, "source": source, "basis": basis}
        return self._dict(f"/models/{model}/metrics", **how, **window)

    def series(
        self,
        model: str,
        variable: str,
        *,
        version: int | None = None,
        source: str = "live",
        start: datetime | None = None,
        end: datetime | None = None,
        points: int = 2000,
    ) -> Series:
        """Return what to draw of a variable; by default as the champion saw it.

        Args:
            model: its name.
            variable: a column of the call schema, or the target.
            version: whose history and predictions.
            source: ``history`` or ``live``.
            start: first event time.
            end: first event time that is left out.
            points: at most so many.
        """
        how = {"variable": variable, "version": version, "source": source, "points": points}
        window = {"start": text_of(start), "end": text_of(end)}
        return self._get(Series, f"/models/{model}/series", **how, **window)

    def overview(self, model: str) -> Overview:
        """Return where a model stands: versions, deployments, live data, runs."""
        return self._get(Overview, f"/models/{model}/overview")

    def check(self, model: str) -> dict[str, Any]:
        """Return the report whether the champion degrades."""
        return self._dict(f"/models/{model}/check")

    def scored(
        self,
        model: str,
        version: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the live rows that a version answered or followed (see ``Store.scored``)."""
        window = {"start": text_of(start), "end": text_of(end), "limit": limit}
        return self._batches(f"/models/{model}/scored", version=version, **window)

    def replay(self, model: str, version: int, since: datetime) -> dict[str, Any]:
        """Let a follower score again from an event time on; returns its progress."""
        body = {"version": version, "since": text_of(since)}
        answer = self.transport.send("POST", f"/models/{model}/replay", json=body)
        progress: dict[str, Any] = answer.json()
        return progress

    def progress(self, model: str, version: int) -> dict[str, Any]:
        """Return ``{"cursor", "watermark", "behind"}`` of a follower."""
        return self._dict(f"/models/{model}/progress", version=version)
