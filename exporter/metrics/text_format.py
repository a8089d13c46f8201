"""Renders families as the lines of the text formats, once per poll.

The sample lines of text 0.0.4 and OpenMetrics 1.0 are the same, and so are the headers of gauges. So the series of
sessions, by far the largest part, are rendered and compressed once for both. Formats: the Prometheus documentation on
exposition formats, and the OpenMetrics 1.0 specification.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import starmap
from typing import Final

import msgspec
from prometheus_client.core import Metric, Sample

from exporter.cooperative import BATCH_SIZE, SMALL_BATCH_SIZE, Cooperative
from exporter.metrics.catalogue import Family, SubjectFamily, TotalFamily
from exporter.metrics.catalogue.family import Sample as FamilySample
from exporter.metrics.catalogue.family import Subject
from exporter.metrics.chunks import Chunk, Deflater, deflate, join
from exporter.sessions.session import Session
from exporter.sessions.snapshot import State, Totals
from exporter.sessions.streams import Stream, stream_id


class Format(Enum):
    """The text formats, by their content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Rendered series.

    Attributes:
        chunks: by the name of the family; families without samples are missing.
        series: the number of samples.
    """

    chunks: Mapping[str, Chunk]
    series: int


def header(family: Family, form: Format) -> str:
    """Return the lines before a family's samples. OpenMetrics names a counter's family without ``_total``."""
    name = family.name
    if form is Format.OPENMETRICS and family.type == "counter":
        name = name.removesuffix("_total")
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}\n"


def escape(value: str) -> str:
    """Escape a label value, as in both formats."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def labels_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Return labels without braces; an empty label is the same to Prometheus as a missing one."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


def session_labels(account: str) -> Callable[[Session], str]:
    """Return the function from a session to its labels, without braces; ``stream_id`` is omitted if unknown."""
    own = f'account="{escape(account)}",'
    prefixes: dict[str | None, str] = {}

    def labels(session: Session) -> str:
        prefix = prefixes.get(session.parent_id)
        if prefix is None:
            name = stream_id(session)
            prefix = prefixes[session.parent_id] = f'{own}stream_id="{escape(name)}",' if name else own
        return f'{prefix}session_id="{escape(session.id)}"'

    return labels


def stream_labels(account: str) -> Callable[[Stream], str]:
    """Return the function from a stream to its labels, without braces."""
    own = f'account="{escape(account)}"'

    def labels(stream: Stream) -> str:
        return f'{own},stream_id="{escape(stream.id)}"' if stream.id else own

    return labels


def render_subjects(
    subjects: Sequence[tuple[Subject, State]],
    families: Sequence[SubjectFamily[Subject]],
    labels: Callable[[Subject], str],
) -> Cooperative[Rendered]:
    """Render the series of sessions or of streams.

    Args:
        subjects: each with its state.
        families: what is rendered of each.
        labels: from a subject to its own labels, without braces.
    """
    renderers = [_renderer(family) for family in families]
    pieces: list[list[Chunk]] = [[] for _ in families]
    deflater = Deflater()
    series = 0
    # Some subjects in all families before the next subjects: what was just read is in the processor's cache.
    for start in range(0, len(subjects), BATCH_SIZE):
        part = subjects[start : start + BATCH_SIZE]
        blocks = [labels(subject) for subject, _ in part]
        yield
        for family, render, chunks in zip(families, renderers, pieces, strict=True):
            step = SMALL_BATCH_SIZE if family.max_series is None else BATCH_SIZE
            for first in range(0, len(part), step):
                ends = render(blocks[first : first + step], part[first : first + step])
                series += len(ends)
                if ends:
                    name = f"{family.name}{{"
                    lines = f"\n{name}".join(ends)  # less work than the name in each line on its own
                    chunks.append(deflater.chunk(f"{name}{lines}\n".encode()))
                yield
    rendered = {}
    for family, chunks in zip(families, pieces, strict=True):
        if chunks:
            rendered[family.name] = join(chunks)
        yield
    return Rendered(rendered, series)


def _renderer(
    family: SubjectFamily[Subject],
) -> Callable[[Sequence[str], Sequence[tuple[Subject, State]]], list[str]]:
    """Return the hot loop of a family: from subjects, and their labels, to each sample's line behind the brace."""
    if family.value is not None:
        value = family.value

        def plain(blocks: Sequence[str], subjects: Sequence[tuple[Subject, State]]) -> list[str]:
            numbers = _numbers([*starmap(value, subjects)])
            found = zip(blocks, numbers, strict=True)
            return [f"{block}}} {number}" for block, number in found if number != _NULL]

        return plain

    samples = family.values or family.samples
    endings: dict[FamilySample, str] = {}
    own_labels: dict[tuple[str, ...], str] = {}

    def labelled(blocks: Sequence[str], subjects: Sequence[tuple[Subject, State]]) -> list[str]:
        lines = []
        for block, (subject, state) in zip(blocks, subjects, strict=True):
            for sample in samples(subject, state):
                ending = endings.get(sample)
                if ending is None:
                    values, number = sample
                    own = own_labels.get(values)
                    if own is None:
                        own = own_labels[values] = labels_text(family.labels, values)
                    ending = endings[sample] = f",{own}}} {number!r}"
                lines.append(block + ending)
        return lines

    return labelled


_NULL: Final = "null"


def _numbers(values: list[float | None]) -> list[str]:
    """Return numbers as text, and ``null`` for None and for values that are not finite.

    JSON's numbers are valid in both formats. msgspec writes the shortest digits that round-trip, as ``repr`` does, in a
    fraction of the time.
    """
    return msgspec.json.encode(values)[1:-1].decode().split(",")


def render_totals(account: str, totals: Totals, families: Sequence[TotalFamily]) -> Mapping[str, Chunk]:
    """Render the totals of an account, by the name of the family; families without samples are missing."""
    texts = {
        family.name: "".join(
            f"{family.name}{{{labels_text(('account', *family.labels), (account, *values))}}} {number!r}\n"
            for values, number in family.values(totals)
        )
        for family in families
    }
    return {name: deflate(text.encode()) for name, text in texts.items() if text}


def render_family(family: Family, samples: Mapping[tuple[str, ...], float], form: Format) -> str:
    """Render a family with its header.

    Args:
        family: its declaration.
        samples: its samples by the values of its labels.
        form: the format.
    """
    return header(family, form) + "".join(
        _line(Sample(family.name, dict(zip(family.labels, values, strict=True)), value))
        for values, value in samples.items()
    )


def render_metrics(metrics: Iterable[Metric]) -> Sequence[bytes]:
    """Render the instruments of prometheus-client: one text per family, without its header.

    They are not compressed yet: a few lines compress well only together with those of the other accounts.
    """
    return tuple("".join(map(_line, metric.samples)).encode() for metric in metrics)


def _line(sample: Sample) -> str:
    name, labels, value = sample.name, sample.labels, sample.value
    block = f"{{{labels_text(tuple(labels), tuple(labels.values()))}}}" if labels else ""
    return f"{name}{block} {float(value)!r}\n"
