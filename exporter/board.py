"""What every account shows at the moment, and the two pages that are made of it, one to a format.

Publishing puts the pages together; a scrape takes a reference to bytes that are already there. A page belongs to one
generation: whoever holds it sees all of it, whatever is published meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from prometheus_client.metrics_core import Metric

from exporter.budget import Budget, Selection
from exporter.catalogue import ACCOUNT_FAMILIES, TOTAL_FAMILIES, Family, Options, session_families, stream_families
from exporter.exposition import (
    GZIP_HEADER,
    NOTHING,
    Chunk,
    Format,
    deflate,
    gzip_trailer,
    header,
    inflate,
    joined,
    render_metrics,
)
from exporter.session import Session
from exporter.snapshot import Snapshot
from exporter.stream import Stream
from exporter.trouble import Troubles

Shown = Selection[Session] | Selection[Stream]
"""The sessions, or the streams, that have series of their own."""


@dataclass(frozen=True, slots=True)
class Data:
    """What an account shows of its sessions.

    Attributes:
        snapshot: the last good answer.
        shown: what has series of its own.
        chunks: these series and the totals, one chunk to each of the board's data families.
        series: samples about single sessions in there.
        troubles: the sessions that need attention.
        expires: monotonic seconds after which it is too old to be shown.
    """

    snapshot: Snapshot
    shown: Shown
    chunks: tuple[Chunk, ...]
    series: int
    troubles: Troubles
    expires: float


@dataclass(frozen=True, slots=True)
class Panel:
    """All that is known of one account.

    Attributes:
        data: of its sessions; None before the first good poll.
        metrics: its counters and how its polling goes, as prometheus-client has them.
        chunks: the same rendered, one chunk to each of ``ACCOUNT_FAMILIES``.
    """

    metrics: Sequence[Metric]
    chunks: tuple[Chunk, ...]
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One generation of one format, without the process's own metrics, which a scrape puts behind it.

    Attributes:
        start: a gzip member's header, and the sessions and totals as raw deflate; the same bytes for both formats.
        rest: the accounts' own families, raw deflate to go behind.
        size: bytes of the text in both.
        crc: CRC-32 of that text.
        pieces: the same text in small pieces, to inflate one at a time.
    """

    start: bytes
    rest: bytes
    size: int
    crc: int
    pieces: tuple[Chunk, ...]

    def packed(self, tail: bytes) -> tuple[bytes, bytes]:
        """The page and a tail behind it as one gzip member, in two parts; the first is never copied."""
        end = deflate(tail, last=True)
        whole = joined([Chunk(b"", self.size, self.crc), end])
        return self.start, b"".join((self.rest, whole.data, gzip_trailer(whole)))

    def plain(self) -> Iterator[bytes]:
        """The page's text, inflated piece by piece."""
        return (inflate(piece) for piece in self.pieces if piece.size)


class Board:
    """Keeps a panel for each account, and the pages of the current generation.

    Args:
        options: which of the optional series are wanted.
        budget: how many series there may be.
        monotonic: seconds; by it, data grows too old.
    """

    def __init__(self, options: Options, budget: Budget, monotonic: Callable[[], float]) -> None:
        self.budget: Final = budget
        self.session_families: Final = session_families(options)
        self.stream_families: Final = stream_families(options)
        self._data_families: Final[tuple[Family, ...]] = (
            *self.session_families,
            *self.stream_families,
            *TOTAL_FAMILIES,
        )
        self._monotonic = monotonic
        self._panels: dict[str, Panel] = {}
        self._expires = float("inf")
        self._data_headers = [deflate(header(family, Format.TEXT).encode()) for family in self._data_families]
        self._account_headers = {
            form: [deflate(header(family, form).encode()) for family in ACCOUNT_FAMILIES] for form in Format
        }
        self._sessions = Chunk(GZIP_HEADER, 0, 0)
        self._session_pieces: tuple[Chunk, ...] = ()
        self._pages: Mapping[Format, Page] = {}
        self._compose_sessions()
        self._compose_pages()

    def panels(self) -> dict[str, Panel]:
        """Every account's panel as it is shown now; data that is too old is gone from it."""
        self._expire()
        return dict(self._panels)

    def page(self, form: Format) -> Page:
        """The page of the current generation."""
        self._expire()
        return self._pages[form]

    def series(self) -> int:
        """Samples about single sessions that are shown now."""
        return sum(panel.data.series for panel in self.panels().values() if panel.data)

    def show(self, account: str, metrics: Sequence[Metric], data: Data | None) -> None:
        """Publish what a poll brought; without new data the last good one stays until it is too old."""
        known = self._panels.get(account)
        kept = data or (known.data if known else None)
        self._panels[account] = Panel(metrics, render_metrics(metrics), kept)
        if data:
            self._compose_sessions()
        self._compose_pages()

    def remove(self, account: str) -> None:
        """Take an account off the pages."""
        self._panels.pop(account, None)
        self.budget.leave(account)
        self._compose_sessions()
        self._compose_pages()

    def _expire(self) -> None:
        if self._monotonic() >= self._expires:
            self._compose_sessions()
            self._compose_pages()

    def _compose_sessions(self) -> None:
        now = self._monotonic()
        for account, panel in self._panels.items():
            if panel.data and panel.data.expires <= now:
                self._panels[account] = replace(panel, data=None)
        shown = {account: panel.data for account, panel in self._panels.items() if panel.data}
        self._expires = min((data.expires for data in shown.values()), default=float("inf"))
        columns = [data.chunks for data in shown.values()]
        used = [any(chunk.size for chunk in row) for row in zip(*columns, strict=True)]
        headers = [head if use else NOTHING for head, use in zip_longest(self._data_headers, used)]
        pieces = _interleave(headers, columns)
        self._sessions = joined([Chunk(GZIP_HEADER, 0, 0), *pieces])
        self._session_pieces = shared = _slices(self._sessions.data, pieces, len(GZIP_HEADER))
        # The chunks now are views of the page, so that its bytes are kept once.
        width = len(shown) + 1
        for place, (account, data) in enumerate(shown.items(), start=1):
            self._panels[account] = replace(self._panels[account], data=replace(data, chunks=shared[place::width]))

    def _compose_pages(self) -> None:
        metrics = [panel.chunks for panel in self._panels.values()]
        pages = {}
        for form in Format:
            pieces = _interleave(self._account_headers[form], metrics)
            rest = joined(pieces)
            both = joined([Chunk(b"", self._sessions.size, self._sessions.crc), replace(rest, data=b"")])
            pages[form] = Page(
                start=bytes(self._sessions.data),
                rest=bytes(rest.data),
                size=both.size,
                crc=both.crc,
                pieces=(*self._session_pieces, *pieces),
            )
        self._pages = pages


def _interleave(headers: Sequence[Chunk], columns: Sequence[tuple[Chunk, ...]]) -> list[Chunk]:
    """Each header, followed by that family's chunk of every account."""
    return [chunk for row in zip(headers, *columns, strict=True) for chunk in row]


def _slices(whole: bytes | memoryview, pieces: Sequence[Chunk], start: int) -> tuple[Chunk, ...]:
    view = memoryview(whole)
    found = []
    for piece in pieces:
        end = start + len(piece.data)
        found.append(replace(piece, data=view[start:end]))
        start = end
    return tuple(found)
