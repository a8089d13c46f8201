"""Turns snapshots into the bytes of the text formats, once per poll.

The sample lines of both formats are the same, and so are the headers of gauges; so the part about sessions, which is
by far the largest, is rendered and compressed once for both. It is kept in chunks by family and account, since the
formats want a family to stand together. A chunk ends with a full flush of the compressor, so chunks that are put
behind each other are one valid stream, and so is one gzip member with a freshly compressed tail. Several members
would be wrong: httpx and browsers lose all but the first.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

import msgspec
from isal import isal_zlib
from prometheus_client.core import Metric, Sample

from exporter.cooperative import BATCH_SIZE, Cooperative
from exporter.metrics.catalogue import Family, SubjectFamily, TotalFamily
from exporter.metrics.catalogue.family import Subject
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.snapshot import Totals
from exporter.sessions.streams import Stream
from exporter.text import clean

LEVEL: Final = 1
"""Of ISA-L's levels the quickest; docs/performance.md has it beside zlib."""

LARGE: Final = 1024 * 1024
"""Bytes from which a piece gets memory of its own, which goes back to the system; in Python's it would leave a hole."""

GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Format(Enum):
    """The text formats, by their content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a page: raw deflate up to a full flush, with the size and the CRC-32 of its text."""

    data: bytes | memoryview
    size: int
    crc: int


NOTHING: Final = Chunk(b"", 0, 0)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The sessions of an account: a chunk to each family, and the number of samples in all."""

    chunks: tuple[Chunk, ...]
    series: int


class Deflater:
    """Compresses one chunk after the other; a full flush forgets all that was before, so they can change places."""

    def __init__(self) -> None:
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)

    def chunk(self, text: bytes, *, last: bool = False) -> Chunk:
        """One text; ``last`` ends the stream, so that nothing can follow."""
        start = self._compressor.compress(text)
        end = self._compressor.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
        return Chunk(start + end, len(text), isal_zlib.crc32(text))


def deflate(text: bytes, *, last: bool = False) -> Chunk:
    """Compress one text."""
    if not text and not last:
        return NOTHING
    return Deflater().chunk(text, last=last)


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks behind each other as one."""
    size = crc = 0
    for chunk in chunks:
        crc = isal_zlib.crc32_combine(crc, chunk.crc, chunk.size)
        size += chunk.size
    return Chunk(_together([chunk.data for chunk in chunks]), size, crc)


def _together(pieces: Sequence[bytes | memoryview]) -> bytes | memoryview:
    length = sum(map(len, pieces))
    if length < LARGE:
        return b"".join(pieces)
    memory = mmap(-1, length, flags=MAP_PRIVATE | MAP_ANONYMOUS)  # shared memory, the default, is slower to get
    for piece in pieces:
        memory.write(piece)
    return memoryview(memory).toreadonly()


def gzip_trailer(whole: Chunk) -> bytes:
    """The end of a gzip member (RFC 1952)."""
    return struct.pack("<II", whole.crc, whole.size & 0xFFFFFFFF)


def inflate(chunk: Chunk) -> bytes:
    """The text of a chunk, for the rare client that does not take gzip."""
    return isal_zlib.decompressobj(-isal_zlib.MAX_WBITS).decompress(chunk.data)


def header(family: Family, form: Format) -> str:
    """The lines before a family's samples. OpenMetrics names a counter's family without ``_total``."""
    name = family.name
    if form is Format.OPENMETRICS and family.kind == "counter":
        name = name.removesuffix("_total")
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} {family.kind}\n"


def escape(value: str) -> str:
    """A label's value as both formats write it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def labelled(names: Sequence[str], values: Sequence[str]) -> str:
    """Labels without braces, empty ones too: to Prometheus they are as if they were not there."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


def session_labels(account: str) -> Callable[[Session], str]:
    """The labels on everything about a session, without braces; ``stream_id`` is left out when it is missing."""
    own = f'account="{escape(account)}"'

    def labels(session: Session) -> str:
        parent = f'stream_id="{escape(clean(session.parent_id, MAX_ID))}",' if session.parent_id else ""
        return f'{own},{parent}session_id="{escape(session.id)}"'

    return labels


def stream_labels(account: str) -> Callable[[Stream], str]:
    """The labels on everything about a stream; sessions without a parent stream have the account alone."""
    own = f'account="{escape(account)}"'
    return lambda stream: f'{own},stream_id="{escape(stream.id)}"' if stream.id else own


def render(
    subjects: Sequence[Subject],
    active: Sequence[bool],
    families: Sequence[SubjectFamily[Subject]],
    labels: Callable[[Subject], str],
) -> Cooperative[Rendered]:
    """Render sessions, or streams, of an account: one chunk to a family, in the families' order.

    Args:
        subjects: what is shown.
        active: whether each of them is.
        families: what is shown of each.
        labels: those on everything about a subject, without braces.
    """
    lines = [_renderer(family) for family in families]
    pieces: list[list[Chunk]] = [[] for _ in families]
    deflater = Deflater()
    series = 0
    # Some subjects in all families, and then the next ones: what was just looked at is in the processor's cache.
    for start in range(0, len(subjects), BATCH_SIZE):
        part, live = subjects[start : start + BATCH_SIZE], active[start : start + BATCH_SIZE]
        blocks = [labels(subject) for subject in part]
        yield
        for lines_of, chunks in zip(lines, pieces, strict=True):
            found = lines_of(blocks, part, live)
            series += len(found)
            chunks.append(deflater.chunk("".join(found).encode()))
            yield
    whole = []
    for chunks in pieces:
        whole.append(joined(chunks))
        yield
    return Rendered(tuple(whole), series)


def _renderer(
    family: SubjectFamily[Subject],
) -> Callable[[Sequence[str], Sequence[Subject], Sequence[bool]], list[str]]:
    """The loop that everything else is kept out of: a line for every sample."""
    name = family.name

    if family.value is not None:
        value = family.value

        def plain(blocks: Sequence[str], subjects: Sequence[Subject], active: Sequence[bool]) -> list[str]:
            numbers = _numbers(list(map(value, subjects, active)))
            found = zip(blocks, numbers, strict=True)
            return [f"{name}{{{block}}} {number}\n" for block, number in found if number != _NONE]

        return plain

    samples = family.values or family.samples
    suffixes: dict[tuple[str, ...], str] = {}

    def with_labels(blocks: Sequence[str], subjects: Sequence[Subject], active: Sequence[bool]) -> list[str]:
        lines = []
        for block, subject, live in zip(blocks, subjects, active, strict=True):
            for values, number in samples(subject, live):
                suffix = suffixes.get(values)
                if suffix is None:
                    suffix = suffixes[values] = labelled(family.labels, values)
                lines.append(f"{name}{{{block},{suffix}}} {number!r}\n")
        return lines

    return with_labels


_NONE: Final = "null"


def _numbers(values: list[float | None]) -> list[str]:
    """Numbers as text, ``_NONE`` for what is None or not finite: JSON's form is one of Prometheus's, too.

    msgspec writes the shortest digits that stand for the number, as ``repr`` does, in a fraction of the time.
    """
    return msgspec.json.encode(values)[1:-1].decode().split(",")


def render_totals(account: str, totals: Totals, families: Sequence[TotalFamily]) -> tuple[Chunk, ...]:
    """Render the totals of an account: one chunk to a family."""
    return tuple(
        deflate(
            "".join(
                f"{family.name}{{{labelled(('account', *family.labels), (account, *values))}}} {number!r}\n"
                for values, number in family.values(totals)
            ).encode()
        )
        for family in families
    )


def render_metrics(metrics: Iterable[Metric]) -> tuple[bytes, ...]:
    """Render what prometheus-client's instruments hold: one text to a family, without the headers.

    They are compressed with those of the other accounts: a few lines for themselves hardly get smaller.
    """
    return tuple("".join(map(_line, metric.samples)).encode() for metric in metrics)


def _line(sample: Sample) -> str:
    name, labels, value = sample.name, sample.labels, sample.value
    return f"{name}{{{labelled(tuple(labels), tuple(labels.values()))}}} {float(value)!r}\n"
