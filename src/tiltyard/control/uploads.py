"""Versions on their way in: unpacked, verified, kept, registered."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, BinaryIO, cast

import pyarrow as pa

from tiltyard.artifacts import unpack
from tiltyard.control.bodies import read_arrow
from tiltyard.control.parts import Parts
from tiltyard.errors import IntegrityError, InvalidInputError
from tiltyard.scoring.folder import verify_folder
from tiltyard.types.registry import HistorySnapshot, Model, Principal, Version, VersionManifest

PREDICTIONS = "history_predictions.arrow"


def register(
    parts: Parts,
    who: Principal,
    model: Model,
    tar: IO[bytes],
    predictions: IO[bytes] | None,
    run: str | None,
) -> Version:
    """Register a version of a model.

    Args:
        parts: control's.
        who: logs it.
        model: whose it is.
        tar: of the version's folder.
        predictions: an Arrow stream, of the history that the manifest names; without it
            ``history_predictions.arrow`` of the folder, if that is there.
        run: that made it.

    Raises:
        InvalidInputError: the tar, the folder, its manifest or the predictions are not right.
        TooLargeError: the folder is larger than ``control.max_upload_mb``.
    """
    most = parts.settings.control.max_upload_mb * 1_000_000
    with TemporaryDirectory(dir=parts.scratch) as place, ExitStack() as stack:
        folder = Path(place) / "version"
        unpack(cast("BinaryIO", tar), folder, most)
        manifest = _verified(folder)
        history = _history(parts, model, manifest, given=predictions is not None)
        if predictions is None and history is not None and (folder / PREDICTIONS).exists():
            predictions = stack.enter_context((folder / PREDICTIONS).open("rb"))
        if predictions is not None and history is not None:
            _check(read_arrow(predictions), history, manifest)
        digest = parts.artifacts.add(folder)
        version = parts.registry.versions.add(model.name, digest, manifest, run, who.name)
        if predictions is not None and history is not None:
            parts.store.put_history_predictions(
                model.name, version.version, history.digest, read_arrow(predictions)
            )
    return version


def _verified(folder: Path) -> VersionManifest:
    try:
        return verify_folder(folder)
    except IntegrityError as error:
        told = error.message.replace(f"{folder}/", "").replace(str(folder), "the version's folder")
        raise InvalidInputError(f"The version cannot be registered: {told}") from None


def _history(
    parts: Parts, model: Model, manifest: VersionManifest, *, given: bool
) -> HistorySnapshot | None:
    digest = manifest.provenance.history_digest
    found = None if digest is None else parts.store.history(model.name, digest)
    if given and found is None:
        raise InvalidInputError(
            "Predictions of a history were sent, but the manifest's provenance names "
            f"{'no history' if digest is None else 'a history that is not here'}."
        )
    return found


def _check(
    batches: Iterator[pa.RecordBatch], history: HistorySnapshot, manifest: VersionManifest
) -> None:
    """Check before anything is kept what the store would refuse after."""
    output = manifest.signature.output
    classes = len(output.classes or ()) if output.probabilities else 0
    wanted = ["value", *(f"p{i}" for i in range(classes))]
    rows = 0
    for batch in batches:
        if batch.schema.names != wanted:
            raise InvalidInputError(
                f"Predictions have the columns {', '.join(wanted)}, "
                f"not {', '.join(batch.schema.names)}."
            )
        rows += batch.num_rows
    if rows != history.rows:
        raise InvalidInputError(f"{rows} predictions for a history of {history.rows} rows.")
