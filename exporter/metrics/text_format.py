"""Renders families as the lines of the text formats, once per poll.

The sample lines of text 0.0.4 and OpenMetrics 1.0 are the same, and so are the headers of gauges. So the series of
sessions, by far the largest part, are rendered and compressed once for both. Formats: the Prometheus documentation on
exposition formats, and the OpenMetrics 1.0 specification.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from hashlib import sha256
from itertools import compress, starmap
from typing import Any, Final, Generic

import msgspec
from prometheus_client.core import Metric, Sample

from exporter.cooperative import BATCH_SIZE, SMALL_BATCH_SIZE, Cooperative, batches
from exporter.metrics.catalogue import Family, SubjectFamily, TotalFamily
from exporter.metrics.catalogue.family import Sample as FamilySample
from exporter.metrics.catalogue.family import Subject
from exporter.metrics.chunks import Chunk, Deflater, deflate
from exporter.sessions.session import Session
from exporter.sessions.snapshot import State, Totals
from exporter.sessions.streams import Stream, stream_id


class Format(Enum):
    """The text formats, by their content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Rendered(msgspec.Struct, frozen=True):
    """Rendered series.

    Attributes:
        chunks: by the name of the family, in the order of the subjects; families without samples are missing.
        series: the number of samples.
    """

    chunks: Mapping[str, Sequence[Chunk]]
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
    rendered: Mapping[bytes, Chunk],
) -> Cooperative[Rendered]:
    """Render the series of sessions or of streams.

    Args:
        subjects: each with its state.
        families: what is rendered of each.
        labels: from a subject to its own labels, without braces.
        rendered: the chunks of the last poll by key; those whose values have not changed are used again.
    """
    renderers = [_Renderer(family) for family in families]
    chunks: defaultdict[str, list[Chunk]] = defaultdict(list)
    deflater = Deflater()
    series = 0
    # Some subjects in all families before the next subjects: what was just read is in the processor's cache.
    for part in batches(subjects):
        blocks = [labels(subject).encode() for subject, _ in part]
        key_of_blocks = _key(*blocks)
        yield
        for renderer in renderers:
            for first in range(0, len(part), renderer.batch_size):
                some = slice(first, first + renderer.batch_size)
                values = renderer.values(part[some])
                text = msgspec.json.encode(values)
                key = _key(renderer.key, key_of_blocks, str(first).encode(), text)
                chunk = rendered.get(key)
                if chunk is None:
                    samples, lines = renderer.lines(blocks[some], values, text)
                    chunk = msgspec.structs.replace(deflater.chunk(lines), samples=samples, key=key)
                if chunk.samples:
                    chunks[renderer.name].append(chunk)
                    series += chunk.samples
                yield
    return Rendered(chunks, series)


def _key(*parts: bytes) -> bytes:
    return sha256(b"\n".join(parts)).digest()


class _Renderer(Generic[Subject]):
    """Renders a family.

    Attributes:
        name: of the family.
        key: of its name and labels.
        batch_size: the number of subjects that are rendered in one step.
    """

    def __init__(self, family: SubjectFamily[Subject]) -> None:
        self.name = family.name
        self.key = _key(*map(str.encode, (family.name, *family.labels)))
        self.batch_size = SMALL_BATCH_SIZE if family.max_series is None else BATCH_SIZE
        self._family = family
        self._values = family.value or family.values or family.samples
        self._start = f"{family.name}{{".encode()
        self._endings: dict[FamilySample, bytes] = {}
        self._own_labels: dict[tuple[str, ...], str] = {}

    def values(self, subjects: Sequence[tuple[Subject, State]]) -> list[Any]:
        """Return the value of each subject; its samples if the family has labels."""
        return [*starmap(self._values, subjects)]

    def lines(self, blocks: Sequence[bytes], values: Sequence[Any], text: bytes) -> tuple[int, bytes]:
        """Return the number of samples, and their lines.

        Args:
            blocks: the labels of each subject.
            values: of each.
            text: the values as JSON.
        """
        return self._labelled(blocks, values) if self._family.value is None else self._plain(blocks, text)

    def _plain(self, blocks: Sequence[bytes], text: bytes) -> tuple[int, bytes]:
        # JSON's numbers are valid in both formats. msgspec writes the shortest digits that round-trip, as `repr` does,
        # in a fraction of the time, and null for None and for values that are not finite.
        numbers = text[1:-1].split(b",")
        if _NULL in text:
            known = [number != _NULL for number in numbers]
            blocks, numbers = [*compress(blocks, known)], [*compress(numbers, known)]
        # The parts of all lines are joined at once, which is faster than with a text for each line.
        parts = [self._start, b"", b"} ", b"", b"\n"] * len(numbers)
        parts[1::5] = blocks
        parts[3::5] = numbers
        return len(numbers), b"".join(parts)

    def _labelled(self, blocks: Sequence[bytes], values: Sequence[Sequence[FamilySample]]) -> tuple[int, bytes]:
        parts: list[bytes] = []
        for block, samples in zip(blocks, values, strict=True):
            for sample in samples:
                parts += (self._start, block, self._endings.get(sample) or self._ending(sample))
        return len(parts) // 3, b"".join(parts)

    def _ending(self, sample: FamilySample) -> bytes:
        """Return the rest of a line; it is kept, since many subjects have the same."""
        values, number = sample
        own = self._own_labels.get(values)
        if own is None:
            own = self._own_labels[values] = labels_text(self._family.labels, values)
        ending = self._endings[sample] = f",{own}}} {number!r}\n".encode()
        return ending


_NULL: Final = b"null"


def render_totals(account: str, totals: Totals, families: Sequence[TotalFamily]) -> Mapping[str, Sequence[Chunk]]:
    """Render the totals of an account, by the name of the family; families without samples are missing."""
    texts = {
        family.name: "".join(
            f"{family.name}{{{labels_text(('account', *family.labels), (account, *values))}}} {number!r}\n"
            for values, number in family.values(totals)
        )
        for family in families
    }
    return {name: (deflate(text.encode()),) for name, text in texts.items() if text}


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
