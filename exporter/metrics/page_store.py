"""What every account shows at the moment, and the two pages that are made of it, one to a format.

Publishing puts the pages together, so that a scrape takes a reference to bytes that are already there. With many
accounts much is published between two scrapes, and what nobody asks for is not put together: then a scrape joins what
the polls have rendered and compressed. A page belongs to one generation: whoever holds it sees all of it, whatever is
published meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from prometheus_client.core import Metric

from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    TOTAL_FAMILIES,
    Family,
    Options,
    session_families,
    stream_families,
)
from exporter.metrics.exposition import (
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
from exporter.metrics.series_limit import Budget, Selection
from exporter.sessions.attention import Problems
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Snapshot
from exporter.sessions.streams import Stream

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
    problems: Problems
    expires: float


@dataclass(frozen=True, slots=True)
class AccountPage:
    """All that is known of one account.

    Attributes:
        data: of its sessions; None before the first good poll.
        metrics: its counters and how its polling goes, as prometheus-client has them.
        texts: the same rendered, one text to each of ``ACCOUNT_FAMILIES``.
    """

    metrics: Sequence[Metric]
    texts: tuple[bytes, ...]
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One generation of one format, without the process's own metrics, which a scrape puts behind it.

    Attributes:
        start: a gzip member's header, and the sessions and totals as raw deflate; the same bytes for both formats.
        rest: the accounts' own families, raw deflate to go behind.
        size: bytes of the text in both.
        crc: CRC-32 of that text.
        pieces: the same text in smaller pieces, to inflate one at a time.
    """

    start: bytes | memoryview
    rest: bytes
    size: int
    crc: int
    pieces: tuple[Chunk, ...]

    def packed(self, tail: bytes) -> tuple[bytes | memoryview, bytes]:
        """The page and a tail behind it as one gzip member, in two parts; the first is never copied."""
        end = deflate(tail, last=True)
        whole = joined([Chunk(b"", self.size, self.crc), end])
        return self.start, b"".join((self.rest, whole.data, gzip_trailer(whole)))

    def plain(self) -> Iterator[bytes]:
        """The page's text, inflated piece by piece."""
        return map(inflate, self.pieces)


class PageStore:
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
        self._account_pages: dict[str, AccountPage] = {}
        self._expires = float("inf")
        self._data_headers = [deflate(header(family, Format.TEXT).encode()) for family in self._data_families]
        self._account_headers = {
            form: [deflate(header(family, form).encode()) for family in ACCOUNT_FAMILIES] for form in Format
        }
        self._sessions = Chunk(GZIP_HEADER, 0, 0)
        self._session_pieces: Sequence[Chunk] = ()
        self._sessions_changed = False
        self._pages = self._composed()
        self._outdated = False
        self._asked_for = False

    def account_pages(self) -> dict[str, AccountPage]:
        """Every account's panel as it is shown now; data that is too old is gone from it."""
        self._expire()
        return dict(self._account_pages)

    def page(self, form: Format) -> Page:
        """The page of the current generation."""
        self._expire()
        if self._outdated:
            self._compose()
        self._asked_for = True
        return self._pages[form]

    def series(self) -> int:
        """Samples about single sessions that are shown now."""
        return sum(account_page.data.series for account_page in self.account_pages().values() if account_page.data)

    def show(self, account: str, metrics: Sequence[Metric], data: Data | None) -> None:
        """Publish what a poll brought; without new data the last good one stays until it is too old.

        Should that fail, everybody's panels are what they were.
        """
        before = dict(self._account_pages)
        known = before.get(account)
        kept = data or (known.data if known else None)
        try:
            self._account_pages[account] = AccountPage(metrics, render_metrics(metrics), kept)
            self._changed(sessions=data is not None)
        except Exception:
            self._account_pages = before
            self._sessions_changed = True  # what was put together in part is put together anew
            raise

    def remove(self, account: str) -> None:
        """Take an account off the pages."""
        self._account_pages.pop(account, None)
        self.budget.leave(account)
        self._changed(sessions=True)

    def _expire(self) -> None:
        now = self._monotonic()
        if now < self._expires:
            return
        for account, account_page in self._account_pages.items():
            if account_page.data and account_page.data.expires <= now:
                self._account_pages[account] = replace(account_page, data=None)
                self.budget.withdraw(account)
        self._changed(sessions=True)

    def _changed(self, *, sessions: bool) -> None:
        self._expires = min((data.expires for _, data in self._shown()), default=float("inf"))
        self._outdated = True
        self._sessions_changed |= sessions
        if self._asked_for:
            self._compose()

    def _shown(self) -> list[tuple[str, Data]]:
        return [
            (account, account_page.data) for account, account_page in self._account_pages.items() if account_page.data
        ]

    def _compose(self) -> None:
        if self._sessions_changed:
            self._compose_sessions()
        self._pages = self._composed()
        self._sessions_changed = self._outdated = self._asked_for = False

    def _compose_sessions(self) -> None:
        shown = self._shown()
        rows = [[data.chunks[place] for _, data in shown] for place in range(len(self._data_families))]
        pieces = [
            chunk
            for head, row in zip(self._data_headers, rows, strict=True)
            if any(chunk.size for chunk in row)
            for chunk in (head, *row)
            if chunk.size
        ]
        self._sessions = joined([Chunk(GZIP_HEADER, 0, 0), *pieces])
        self._session_pieces = _slices(self._sessions.data, pieces, len(GZIP_HEADER))
        # The chunks now are views of the page, so that its bytes are kept once.
        views = iter(self._session_pieces)
        for row in rows:
            if any(chunk.size for chunk in row):
                next(views)  # the header
            row[:] = [next(views) if chunk.size else NOTHING for chunk in row]
        for (account, data), chunks in zip(shown, zip(*rows, strict=True), strict=True):
            self._account_pages[account] = replace(self._account_pages[account], data=replace(data, chunks=chunks))

    def _composed(self) -> Mapping[Format, Page]:
        columns = [account_page.texts for account_page in self._account_pages.values()]
        families = [deflate(b"".join(texts[place] for texts in columns)) for place in range(len(ACCOUNT_FAMILIES))]
        pages = {}
        for form in Format:
            headers = self._account_headers[form]
            pieces = [piece for pair in zip(headers, families, strict=True) for piece in pair if piece.size]
            rest = joined(pieces)
            both = joined([Chunk(b"", self._sessions.size, self._sessions.crc), replace(rest, data=b"")])
            pages[form] = Page(
                start=self._sessions.data,
                rest=bytes(rest.data),
                size=both.size,
                crc=both.crc,
                pieces=(*self._session_pieces, *pieces),
            )
        return pages


def _slices(whole: bytes | memoryview, pieces: Sequence[Chunk], start: int) -> list[Chunk]:
    view = memoryview(whole)
    found = []
    for piece in pieces:
        end = start + len(piece.data)
        found.append(Chunk(view[start:end], piece.size, piece.crc))
        start = end
    return found
