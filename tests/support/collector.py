"""The same data as a prometheus-client collector, for those who embed it in a registry of their own.

It makes an object for every sample at every scrape, which the exposition avoids; a test holds the two together.
"""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import ACCOUNT_FAMILIES, TOTAL_FAMILIES, Family, SubjectFamily, TotalFamily
from exporter.metrics.catalogue.family import Subject
from exporter.metrics.page_store import AccountPage, PageStore
from exporter.metrics.series_limit import Selection
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.streams import Stream
from exporter.text import clean

NOBODY: Final[Selection[Session]] = Selection((), ())


class SessionCollector(Collector):
    """All families of a board: on sessions, on accounts, and on their polling.

    Args:
        board: where the pollers publish.
    """

    def __init__(self, board: PageStore) -> None:
        self._board = board

    def describe(self) -> Iterable[Metric]:
        """Nothing: what a poll brings is not known before."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Every family with the samples of all accounts."""
        account_pages = self._board.account_pages()
        found = [
            *(_about(family, account_pages, Session, _session_labels) for family in self._board.session_families),
            *(_about(family, account_pages, Stream, _stream_labels) for family in self._board.stream_families),
            *(_totals(total, account_pages) for total in TOTAL_FAMILIES),
        ]
        yield from (metric for metric in found if metric.samples)
        yield from _polling(account_pages.values())


def _metric(family: Family) -> Metric:
    return Metric(family.name, family.help, family.kind)


def _session_labels(session: Session) -> dict[str, str]:
    parent = {"stream_id": clean(session.parent_id, MAX_ID)} if session.parent_id else {}
    return parent | {"session_id": session.id}


def _stream_labels(stream: Stream) -> dict[str, str]:
    return {"stream_id": stream.id} if stream.id else {}


def _about(
    family: SubjectFamily[Subject],
    account_pages: dict[str, AccountPage],
    kind: type[Subject],
    labels_of: Callable[[Subject], dict[str, str]],
) -> Metric:
    metric = _metric(family)
    for account, account_page in account_pages.items():
        shown = account_page.data.shown if account_page.data else NOBODY
        for subject, active in zip(shown.subjects, shown.active, strict=True):
            if isinstance(subject, kind):
                labels = {"account": account, **labels_of(subject)}
                for values, number in family.samples(subject, active):
                    metric.add_sample(family.name, labels | dict(zip(family.labels, values, strict=True)), number)
    return metric


def _totals(family: TotalFamily, account_pages: dict[str, AccountPage]) -> Metric:
    metric = _metric(family)
    for account, account_page in account_pages.items():
        if account_page.data is not None:
            for values, number in family.values(account_page.data.snapshot.totals):
                labels = {"account": account, **dict(zip(family.labels, values, strict=True))}
                metric.add_sample(family.name, labels, number)
    return metric


def _polling(account_pages: Iterable[AccountPage]) -> Iterable[Metric]:
    columns = [account_page.metrics for account_page in account_pages]
    for place in range(len(ACCOUNT_FAMILIES) if columns else 0):
        metric = copy(columns[0][place])
        metric.samples = [sample for column in columns for sample in column[place].samples]
        yield metric
