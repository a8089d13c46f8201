"""The same data as a prometheus-client collector, for those who embed it in a registry of their own.

It makes an object for every sample at every scrape, which the exposition avoids; a test holds the two together.
"""

from collections.abc import Iterable
from copy import copy

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporter.board import Board, Panel
from exporter.catalogue import ACCOUNT_FAMILIES, TOTAL_FAMILIES, Family, SessionFamily, TotalFamily
from exporter.session import MAX_ID, clean


class SessionCollector(Collector):
    """All families of a board: on sessions, on accounts, and on their polling.

    Args:
        board: where the pollers publish.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def describe(self) -> Iterable[Metric]:
        """Nothing: what a poll brings is not known before."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Every family with the samples of all accounts."""
        panels = self._board.panels()
        for family in self._board.session_families:
            yield _sessions(family, panels)
        for total in TOTAL_FAMILIES:
            yield _totals(total, panels)
        yield from _polling(panels.values())


def _metric(family: Family) -> Metric:
    return Metric(family.name, family.help, family.kind)


def _sessions(family: SessionFamily, panels: dict[str, Panel]) -> Metric:
    metric = _metric(family)
    for account, panel in panels.items():
        if panel.data is None:
            continue
        selection = panel.data.selection
        for session, active in zip(selection.sessions, selection.active, strict=True):
            labels = {"account": account, "session_id": session.id}
            if session.parent_id:
                labels["stream_id"] = clean(session.parent_id, MAX_ID)
            for values, number in family.samples(session, active):
                metric.add_sample(family.name, labels | dict(zip(family.labels, values, strict=True)), number)
    return metric


def _totals(family: TotalFamily, panels: dict[str, Panel]) -> Metric:
    metric = _metric(family)
    for account, panel in panels.items():
        if panel.data is not None:
            for values, number in family.values(panel.data.snapshot.totals):
                labels = {"account": account, **dict(zip(family.labels, values, strict=True))}
                metric.add_sample(family.name, labels, number)
    return metric


def _polling(panels: Iterable[Panel]) -> Iterable[Metric]:
    columns = [panel.metrics for panel in panels]
    for place in range(len(ACCOUNT_FAMILIES) if columns else 0):
        metric = copy(columns[0][place])
        metric.samples = [sample for column in columns for sample in column[place].samples]
        yield metric
