"""The same data as a prometheus-client collector, for those who embed it in a registry of their own.

It makes an object for every sample at every scrape, which the exposition avoids; a test holds the two together.
"""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporter.board import Board, Panel
from exporter.budget import Selection
from exporter.catalogue import ACCOUNT_FAMILIES, TOTAL_FAMILIES, Family, SubjectFamily, TotalFamily
from exporter.catalogue.family import Subject
from exporter.session import MAX_ID, Session, clean
from exporter.stream import Stream

NOBODY: Final[Selection[Session]] = Selection((), ())


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
        found = [
            *(_about(family, panels, Session, _session_labels) for family in self._board.session_families),
            *(_about(family, panels, Stream, _stream_labels) for family in self._board.stream_families),
            *(_totals(total, panels) for total in TOTAL_FAMILIES),
        ]
        yield from (metric for metric in found if metric.samples)
        yield from _polling(panels.values())


def _metric(family: Family) -> Metric:
    return Metric(family.name, family.help, family.kind)


def _session_labels(session: Session) -> dict[str, str]:
    parent = {"stream_id": clean(session.parent_id, MAX_ID)} if session.parent_id else {}
    return parent | {"session_id": session.id}


def _stream_labels(stream: Stream) -> dict[str, str]:
    return {"stream_id": stream.id} if stream.id else {}


def _about(
    family: SubjectFamily[Subject],
    panels: dict[str, Panel],
    kind: type[Subject],
    labels_of: Callable[[Subject], dict[str, str]],
) -> Metric:
    metric = _metric(family)
    for account, panel in panels.items():
        shown = panel.data.shown if panel.data else NOBODY
        for subject, active in zip(shown.subjects, shown.active, strict=True):
            if isinstance(subject, kind):
                labels = {"account": account, **labels_of(subject)}
                for values, number in family.samples(subject, active):
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
