"""Calls about models, their history and their versions."""

import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from tiltyard.client import wire
from tiltyard.client.calls import Calls, json_of, text_of
from tiltyard.types.registry import HistorySnapshot, Model, Thresholds, Version
from tiltyard.types.schema import CallSchema, Task

Batches = Iterable[pa.RecordBatch]


class ModelCalls(Calls):
    """Models, history, versions."""

    def models(self) -> list[Model]:
        """Return all models."""
        return self._list(Model, "/models")

    def model(self, model: str) -> Model:
        """Return one model."""
        return self._get(Model, f"/models/{model}")

    def put_model(
        self,
        model: str,
        task: Task | str,
        call_schema: CallSchema,
        *,
        owner_group: str | None = None,
        thresholds: Thresholds | None = None,
        description: str | None = None,
    ) -> Model:
        """Make a model, or widen the call schema of the one there is."""
        body = {
            "task": str(task),
            "call_schema": json_of(call_schema),
            "owner_group": owner_group,
            "thresholds": json_of(thresholds),
            "description": description,
        }
        return self._send(Model, "PUT", f"/models/{model}", body)

    def patch_model(
        self, model: str, *, thresholds: Thresholds | None = None, description: str | None = None
    ) -> Model:
        """Change a model's thresholds or description; None leaves them."""
        body = {"thresholds": json_of(thresholds), "description": description}
        return self._send(Model, "PATCH", f"/models/{model}", body)

    # history

    def put_history(
        self,
        model: str,
        schema: pa.Schema,
        batches: Batches,
        *,
        task: Task | str | None = None,
        target: str | None = None,
        event_time: str | None = None,
        owner_group: str | None = None,
    ) -> HistorySnapshot:
        """Write a model's history; a new model needs ``task`` and ``target``."""
        params = {
            "task": task and str(task),
            "target": target,
            "event_time": event_time,
            "owner_group": owner_group,
        }
        answer = self.transport.send(
            "PUT",
            f"/models/{model}/history",
            params=params,
            content=wire.encode(schema, batches),
            headers={"content-type": wire.MEDIA_TYPE},
            timeout=None,
        )
        return HistorySnapshot.model_validate_json(answer.content)

    def history(self, model: str, digest: str | None = None) -> HistorySnapshot:
        """Return a snapshot, by default the latest prepared one."""
        return self._get(HistorySnapshot, f"/models/{model}/history", digest=digest)

    def read_history(
        self, model: str, digest: str | None = None, columns: Iterable[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield a snapshot's rows in their order; the first batch may be empty."""
        params = {"digest": digest, "columns": None if columns is None else list(columns)}
        return self._batches(f"/models/{model}/history/rows", **params)

    def extend_history(
        self, model: str, start: datetime | None = None, end: datetime | None = None
    ) -> HistorySnapshot:
        """Keep the latest history plus live rows with actuals as a snapshot, read by digest."""
        body = {"start": text_of(start), "end": text_of(end)}
        path = f"/models/{model}/history/extend"
        return self._send(HistorySnapshot, "POST", path, body, timeout=None)

    def training_frame(
        self, model: str, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield history, then live rows with actuals of start ≤ event time < end."""
        path = f"/models/{model}/training-frame"
        return self._batches(path, start=text_of(start), end=text_of(end))

    # versions

    def add_version(
        self,
        model: str,
        folder: BinaryIO,
        predictions: tuple[pa.Schema, Batches] | None = None,
        *,
        run: str | None = None,
    ) -> Version:
        """Register a version.

        Args:
            model: its name.
            folder: a tar of the version's folder, open for reading.
            predictions: of the history that ``provenance.history_digest`` names; without them
                control takes ``history_predictions.arrow`` of the folder.
            run: the run that made it.
        """
        files: dict[str, Any] = {"folder": ("folder.tar", folder, "application/x-tar")}
        if predictions is not None:
            stream = io.BytesIO(b"".join(wire.encode(*predictions)))
            files["history_predictions"] = ("predictions.arrow", stream, wire.MEDIA_TYPE)
        path = f"/models/{model}/versions"
        answer = self.transport.send("POST", path, files=files, params={"run": run}, timeout=None)
        return Version.model_validate_json(answer.content)

    def versions(self, model: str) -> list[Version]:
        """Return a model's versions, oldest first."""
        return self._list(Version, f"/models/{model}/versions")

    def version(self, model: str, version: int) -> Version:
        """Return one version."""
        return self._get(Version, f"/models/{model}/versions/{version}")

    def download_version(self, model: str, version: int, target: Path) -> None:
        """Write a version's folder to ``target`` as a tar."""
        path = f"/models/{model}/versions/{version}/folder"
        with self.transport.stream("GET", path) as answer, target.open("wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
