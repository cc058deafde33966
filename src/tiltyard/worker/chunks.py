"""Summarises one chunk of the log: by minute, for the model's inputs and for each version."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tiltyard.evaluation.summaries import (
    Summary,
    decode_summary,
    encode_summary,
    merge,
    summarise_inputs,
    summarise_version,
)
from tiltyard.stores.base import ChunkRows, DirtyChunk, SummaryRow
from tiltyard.types.records import PredictionRecord, Score
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import CallSchema, Task
from tiltyard.worker.buckets import MINUTE, bucket

INPUTS = 0
"""The version under which a model's inputs are summarised."""

Made = PredictionRecord | Score
"""What a version made of a row: its answer, or what it scored as a follower."""


class Yardstick(msgspec.Struct, frozen=True):
    """What a model's rows are measured with.

    Attributes:
        versions: every version that there is, by number.
    """

    task: Task
    schema: CallSchema
    versions: Mapping[int, VersionManifest]

    def input_edges(self) -> dict[str, tuple[float, ...]]:
        """Return each column's bin edges: of the first version that has any, so they stay."""
        edges: dict[str, tuple[float, ...]] = {}
        for _, manifest in sorted(self.versions.items(), reverse=True):
            edges |= manifest.histograms
        return edges


def summarise_chunk(rows: ChunkRows, chunk: DirtyChunk, by: Yardstick) -> list[SummaryRow]:
    """Return the chunk's absolute summaries, one for each minute and version in it."""
    summaries = [*_inputs(rows.predictions, by), *_versions(rows, by)]
    return [
        SummaryRow(chunk.gateway, chunk.chunk, version, minute, encode_summary(summary))
        for version, minute, summary in summaries
    ]


def merged(rows: Iterable[tuple[int, bytes]], width: int) -> list[tuple[int, bytes]]:
    """Merge (time, payload) of summaries into buckets of a width."""
    found: dict[int, Summary] = {}
    for at, payload in rows:
        start = bucket(at, width)
        found[start] = merge(found.get(start, Summary()), decode_summary(payload))
    return [(start, encode_summary(summary)) for start, summary in found.items()]


def _minute(record: PredictionRecord) -> int:
    at = record.received_at if record.event_time is None else record.event_time
    return bucket(at, MINUTE)


def _inputs(
    predictions: Iterable[PredictionRecord], by: Yardstick
) -> Iterator[tuple[int, int, Summary]]:
    minutes: dict[int, list[Mapping[str, object]]] = defaultdict(list)
    for record in predictions:
        minutes[_minute(record)].append(record.row)
    edges = by.input_edges()
    for minute, sent in minutes.items():
        yield INPUTS, minute, summarise_inputs(sent, by.schema, edges)


def _versions(rows: ChunkRows, by: Yardstick) -> Iterator[tuple[int, int, Summary]]:
    for (version, minute), made in _by_version(rows).items():
        actuals = [rows.actuals.get(one.seq) for one in made]
        yield version, minute, _summary(made, actuals, by.task, by.versions[version])


def _by_version(rows: ChunkRows) -> dict[tuple[int, int], list[Made]]:
    found: dict[tuple[int, int], list[Made]] = defaultdict(list)
    for record in rows.predictions:
        minute = _minute(record)
        found[record.version, minute].append(record)
        for version, scores in rows.scores.items():
            if record.seq in scores:
                found[version, minute].append(scores[record.seq])
    return found


def _summary(
    made: Sequence[Made], actuals: Sequence[object], task: Task, manifest: VersionManifest
) -> Summary:
    output = manifest.signature.output
    return summarise_version(
        [one.value for one in made],
        actuals,
        task=task,
        probabilities=[one.probabilities for one in made] if output.probabilities else None,
        classes=output.classes or (),
        edges=manifest.histograms.get(output.name, ()),
        refusals=sum(isinstance(one, Score) and one.refusal is not None for one in made),
    )
