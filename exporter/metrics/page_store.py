"""What every account shows, until it is stale, and the page of each format that is made of it.

Publishing puts the pages together, so a scrape takes a reference to bytes that exist. If nothing was scraped since the
last publication, which is common with many accounts, the next scrape puts them together instead. A page is immutable:
a client that is still receiving one gets all of it, whatever is published meanwhile.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import replace
from prometheus_client.core import Metric

from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    SESSION_LIFE_FAMILIES,
    STREAM_LIFE_COUNTERS,
    STREAM_LIFE_GAUGES,
    TOTAL_FAMILIES,
    WEBHOOK_FAMILIES,
    Family,
    Options,
    session_families,
    stream_families,
)
from exporter.metrics.chunks import EMPTY, GZIP_HEADER, Chunk, deflate, gzip_trailer, inflate, join, slices_of
from exporter.metrics.series_limit import SeriesBudget
from exporter.metrics.text_format import Format, header, render_metrics
from exporter.sessions.attention import Problems
from exporter.sessions.snapshot import Totals

_WEBHOOK_PLACES: Final = tuple(map(ACCOUNT_FAMILIES.index, WEBHOOK_FAMILIES))


class AccountData(msgspec.Struct, frozen=True):
    """What an account shows of its last good poll.

    Attributes:
        began: Unix seconds of our clock when the poll began.
        expires: monotonic seconds after which the data is stale.
        totals: over all sessions.
        problems: the sessions that the status page lists.
        chunks: the rendered series and totals, by the name of the family.
        series: number of samples of sessions or streams.
        exported: number of sessions or streams with series of their own.
        dropped: number of those that the series limit keeps off the page.
        absent_streams: the ids of the configured streams without sessions.
        recordings_began: when the last good poll began that requested the recordings before the session window, Unix
            seconds of our clock; None if none are requested.
    """

    began: float
    expires: float
    totals: Totals
    problems: Problems
    chunks: Mapping[str, Sequence[Chunk]]
    series: int
    exported: int
    dropped: int
    absent_streams: tuple[str, ...] = ()
    recordings_began: float | None = None


class AccountPage(msgspec.Struct, frozen=True):
    """The part of the page that belongs to one account.

    Attributes:
        texts: the samples of its own instruments, one text for each of ``ACCOUNT_FAMILIES``.
        data: None before the first good poll, and when it is stale.
    """

    texts: Sequence[bytes]
    data: AccountData | None = None


class Page(msgspec.Struct, frozen=True):
    """One generation of one format, without the metrics of the process, which a scrape appends.

    Attributes:
        start: the header of a gzip member, and the gauges and totals as raw deflate; the same bytes for both formats.
        rest: the counters of streams and the accounts' instruments, as raw deflate.
        size: bytes of the whole text.
        crc: CRC-32 of the whole text.
        pieces: the same text in chunks that can be inflated block by block.
    """

    start: bytes | memoryview
    rest: bytes | memoryview
    size: int
    crc: int
    pieces: Sequence[Chunk]

    def packed(self, tail: bytes) -> Sequence[bytes | memoryview]:
        """Return the page with a tail as one gzip member, in parts. Only the last part is made for this scrape."""
        end = deflate(tail, last=True)
        whole = join([Chunk(b"", self.size, self.crc), end])
        return self.start, self.rest, b"".join((whole.data, gzip_trailer(whole)))

    def plain(self) -> Iterator[bytes]:
        """Return the text of the page in blocks of at most `BLOCK_SIZE` bytes."""
        return chain.from_iterable(map(inflate, self.pieces))


class PageStore:
    """Keeps the part of each account, and the pages of the current generation.

    Args:
        options: the optional series.
        budget: the series limit, shared between the accounts.
        monotonic: seconds; decides when data is stale.
    """

    def __init__(self, options: Options, budget: SeriesBudget, monotonic: Callable[[], float]) -> None:
        self.budget: Final = budget
        self.session_families: Final = session_families(options)
        self.stream_families: Final = stream_families(options)
        self._monotonic = monotonic
        self._accounts: dict[str, AccountPage] = {}
        self._webhooks: dict[str, Callable[[], Sequence[Metric]]] = {}
        self._expires = float("inf")
        gauges: tuple[Family, ...] = (
            *(*self.session_families, *SESSION_LIFE_FAMILIES),
            *(*self.stream_families, *STREAM_LIFE_GAUGES),
            *TOTAL_FAMILIES,
        )
        self._data_headers = _headers(gauges, Format.TEXT)
        self._stream_headers = {form: _headers(STREAM_LIFE_COUNTERS, form) for form in Format}
        self._account_headers = {form: _headers(ACCOUNT_FAMILIES, form) for form in Format}
        self._data = Chunk(GZIP_HEADER, 0, 0)
        self._data_pieces: Sequence[Chunk] = ()
        self._pages = self._built_pages()
        # What has changed since the pages were built, and whether they were scraped since then.
        self._outdated = False
        self._data_changed = False
        self._scraped = False

    def account_pages(self) -> dict[str, AccountPage]:
        """Return the part of each account, without stale data."""
        self._expire()
        return dict(self._accounts)

    def page(self, form: Format) -> Page:
        """Return the page of the current generation."""
        self._expire()
        self._update_webhooks()
        if self._outdated:
            self._rebuild()
        self._scraped = True
        return self._pages[form]

    def rendered(self, account: str) -> Mapping[bytes, Chunk]:
        """Return the series that an account shows, by the key of each chunk."""
        part = self._accounts.get(account)
        chunks = part.data.chunks.values() if part and part.data else ()
        return {chunk.key: chunk for chunk in chain.from_iterable(chunks)}

    def series(self) -> int:
        """Return the number of samples of sessions and streams on the page."""
        return sum(data.series for _, data in self._shown())

    def publish(self, account: str, metrics: Sequence[Metric], data: AccountData | None) -> None:
        """Publish the outcome of a poll. Without new data the last is kept until it is stale.

        If this raises, all parts are as they were before.
        """
        before = dict(self._accounts)
        known = before.get(account)
        try:
            self._accounts[account] = AccountPage(render_metrics(metrics), data or (known.data if known else None))
            self._mark_changed(data=data is not None)
        except Exception:
            self._accounts = before
            self._data_changed = True  # a partially composed page is composed again
            raise

    def follow_webhooks(self, account: str, changed: Callable[[], Sequence[Metric]]) -> None:
        """Show the ``WEBHOOK_FAMILIES`` of an account as of each scrape, and not only as of its last publication.

        They are a few lines, and change without a publication: by calls that are refused, most of all.

        Args:
            account: its name.
            changed: returns the families if they have changed since the last call, otherwise nothing.
        """
        self._webhooks[account] = changed

    def remove(self, account: str) -> None:
        """Remove an account from the pages."""
        self._webhooks.pop(account, None)
        self._accounts.pop(account, None)
        self.budget.leave(account)
        self._mark_changed(data=True)

    def _update_webhooks(self) -> None:
        for account, changed in self._webhooks.items():
            part = self._accounts.get(account)
            metrics = changed() if part else ()
            if part and metrics:
                texts = list(part.texts)
                for place, text in zip(_WEBHOOK_PLACES, render_metrics(metrics), strict=True):
                    texts[place] = text
                self._accounts[account] = replace(part, texts=texts)
                self._outdated = True

    def _expire(self) -> None:
        now = self._monotonic()
        if now < self._expires:
            return
        for account, part in self._accounts.items():
            if part.data and part.data.expires <= now:
                self._accounts[account] = replace(part, data=None)
                self.budget.withdraw(account)
        self._mark_changed(data=True)

    def _mark_changed(self, *, data: bool) -> None:
        self._expires = min((each.expires for _, each in self._with_data()), default=float("inf"))
        self._outdated = True
        self._data_changed |= data
        if self._scraped:
            self._rebuild()

    def _shown(self) -> list[tuple[str, AccountData]]:
        self._expire()
        return self._with_data()

    def _with_data(self) -> list[tuple[str, AccountData]]:
        return [(account, part.data) for account, part in self._accounts.items() if part.data]

    def _rebuild(self) -> None:
        if self._data_changed:
            self._rebuild_data()
        self._pages = self._built_pages()
        self._data_changed = self._outdated = self._scraped = False

    def _rebuild_data(self) -> None:
        """Concatenate the gauges and totals of all accounts, family by family; their chunks become views of it."""
        shown = self._with_data()
        places: list[tuple[str | None, str]] = []
        pieces: list[Chunk] = []
        for name, head in self._data_headers.items():
            found = [(account, chunk) for account, data in shown for chunk in data.chunks.get(name, ())]
            if found:
                places += [(None, name), *((account, name) for account, _ in found)]
                pieces += [head, *(chunk for _, chunk in found)]
        self._data = join([Chunk(GZIP_HEADER, 0, 0), *pieces])
        self._data_pieces = slices_of(self._data, pieces, len(GZIP_HEADER))
        views: dict[str, defaultdict[str, list[Chunk]]] = {account: defaultdict(list) for account, _ in shown}
        for (account, name), view in zip(places, self._data_pieces, strict=True):
            if account is not None:
                views[account][name].append(view)
        for account, data in shown:
            chunks = {**data.chunks, **views[account]}
            self._accounts[account] = replace(self._accounts[account], data=replace(data, chunks=chunks))

    def _built_pages(self) -> Mapping[Format, Page]:
        columns = zip(*(part.texts for part in self._accounts.values()), strict=True)
        families = [deflate(b"".join(texts)) for texts in columns] or [EMPTY] * len(ACCOUNT_FAMILIES)
        shown = self._with_data()
        counters = [
            [chunk for _, data in shown for chunk in data.chunks.get(family.name, ())]
            for family in STREAM_LIFE_COUNTERS
        ]
        pages = {}
        for form in Format:
            of_streams = zip(self._stream_headers[form].values(), counters, strict=True)
            of_accounts = zip(self._account_headers[form].values(), families, strict=True)
            pieces = [piece for head, chunks in of_streams if chunks for piece in (head, *chunks)]
            pieces += [piece for pair in of_accounts for piece in pair if piece.size]
            rest = join(pieces)
            both = join([Chunk(b"", self._data.size, self._data.crc), Chunk(b"", rest.size, rest.crc)])
            pages[form] = Page(
                start=self._data.data,
                rest=rest.data,
                size=both.size,
                crc=both.crc,
                pieces=(*self._data_pieces, *pieces),
            )
        return pages


def _headers(families: Sequence[Family], form: Format) -> dict[str, Chunk]:
    """Return the compressed header of each family, by name."""
    return {each.name: deflate(header(each, form).encode()) for each in families}
