"""The same page by prometheus-client: the reference that the rendered bytes are compared with.

It computes every sample from the sessions and the declared families, with the library's own objects and text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    TOTAL_FAMILIES,
    Family,
    Options,
    SubjectFamily,
    session_families,
    stream_families,
)
from exporter.metrics.catalogue.family import Subject
from exporter.metrics.instruments import Telemetry
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.snapshot import Snapshot, State
from exporter.sessions.streams import Stream, group_by_stream
from exporter.text import clean
from tests.support.cooperative import run_to_end


@dataclass(frozen=True)
class Shown:
    """What an account shows: the snapshot of its last poll, at a level of detail, and its instruments."""

    snapshot: Snapshot
    detail: str
    telemetry: Telemetry


class ReferenceCollector(Collector):
    """All families of some accounts."""

    def __init__(self, accounts: Mapping[str, Shown], options: Options) -> None:
        self._accounts = accounts
        self._options = options

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        sessions = {
            account: shown.snapshot.sessions if shown.detail == "session" else ()
            for account, shown in self._accounts.items()
        }
        streams = {
            account: run_to_end(group_by_stream(shown.snapshot.sessions)) if shown.detail == "stream" else ()
            for account, shown in self._accounts.items()
        }
        found = [
            *(_subjects(family, sessions, _session_labels) for family in session_families(self._options)),
            *(_subjects(family, streams, _stream_labels) for family in stream_families(self._options)),
            *(self._totals(place) for place in range(len(TOTAL_FAMILIES))),
        ]
        yield from (metric for metric in found if metric.samples)
        columns = [list(shown.telemetry.collect()) for shown in self._accounts.values()]
        for place in range(len(ACCOUNT_FAMILIES)):
            metric = columns[0][place]
            metric.samples = [sample for column in columns for sample in column[place].samples]
            yield metric

    def _totals(self, place: int) -> Metric:
        family = TOTAL_FAMILIES[place]
        metric = _metric(family)
        for account, shown in self._accounts.items():
            for values, number in family.values(shown.snapshot.totals):
                labels = {"account": account, **dict(zip(family.labels, values, strict=True))}
                metric.add_sample(family.name, labels, number)
        return metric


def _metric(family: Family) -> Metric:
    return Metric(family.name, family.help, family.type)


def _session_labels(session: Session) -> dict[str, str]:
    parent = {"stream_id": clean(session.parent_id, MAX_ID)} if session.parent_id else {}
    return parent | {"session_id": session.id}


def _stream_labels(stream: Stream) -> dict[str, str]:
    return {"stream_id": stream.id} if stream.id else {}


def _subjects(
    family: SubjectFamily[Subject],
    subjects: Mapping[str, Sequence[tuple[Subject, State]]],
    labels_of: Callable[[Subject], dict[str, str]],
) -> Metric:
    metric = _metric(family)
    for account, pairs in subjects.items():
        for subject, state in pairs:
            labels = {"account": account, **labels_of(subject)}
            for values, number in family.samples(subject, state):
                metric.add_sample(family.name, labels | dict(zip(family.labels, values, strict=True)), number)
    return metric
