"""The reference for the rendered metrics page: a collector for prometheus-client.

It computes every sample from the sessions and the declared families with the objects of prometheus-client, whose text
the rendered bytes are compared with.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    SESSION_LIFE_FAMILIES,
    STREAM_LIFE_FAMILIES,
    TOTAL_FAMILIES,
    Family,
    LifeFamily,
    Options,
    SubjectFamily,
    TotalFamily,
    session_families,
    stream_families,
)
from exporter.metrics.catalogue.family import Subject
from exporter.metrics.instruments import Telemetry
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.session_life import SessionLife
from exporter.sessions.snapshot import Snapshot, State
from exporter.sessions.streams import Stream, group_by_stream
from exporter.text import clean
from tests.support.cooperative import run_to_end


@dataclass(frozen=True)
class PublishedAccount:
    """An account as its last poll published it: the snapshot, the level of detail and the instruments."""

    snapshot: Snapshot
    detail: str
    telemetry: Telemetry
    lifecycle: LifecycleState


class ReferenceCollector(Collector):
    """Collects all families of some accounts."""

    def __init__(self, accounts: Mapping[str, PublishedAccount], options: Options) -> None:
        self._accounts = accounts
        self._options = options

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        sessions = {
            account: published.snapshot.sessions if published.detail == "session" else ()
            for account, published in self._accounts.items()
        }
        streams = {
            account: run_to_end(group_by_stream(published.snapshot.sessions)) if published.detail == "stream" else ()
            for account, published in self._accounts.items()
        }
        gauges, counters = self._stream_life("gauge"), self._stream_life("counter")
        metrics = [
            *(_subjects(family, sessions, _session_labels) for family in session_families(self._options)),
            *(self._session_life(family) for family in SESSION_LIFE_FAMILIES),
            *(_subjects(family, streams, _stream_labels) for family in stream_families(self._options)),
            *gauges,
            *map(self._totals, TOTAL_FAMILIES),
            *counters,
        ]
        yield from (metric for metric in metrics if metric.samples)
        columns = [list(published.telemetry.collect()) for published in self._accounts.values()]
        for index in range(len(ACCOUNT_FAMILIES)):
            metric = columns[0][index]
            metric.samples = [sample for column in columns for sample in column[index].samples]
            yield metric

    def _session_life(self, family: LifeFamily[SessionLife]) -> Metric:
        metric = _metric(family)
        for account, published in self._accounts.items():
            for session, _ in published.snapshot.sessions if published.detail == "session" else ():
                life = published.lifecycle.sessions.get(session.id)
                value = family.value(life) if life and family.value else None
                if value is not None:
                    metric.add_sample(family.name, {"account": account, **_session_labels(session)}, value)
        return metric

    def _stream_life(self, kind: str) -> list[Metric]:
        metrics = []
        for family in (each for each in STREAM_LIFE_FAMILIES if each.type == kind):
            metric = _metric(family)
            for account, published in self._accounts.items():
                for stream, _ in run_to_end(group_by_stream(published.snapshot.sessions)):
                    life = published.lifecycle.streams.present[stream.id]
                    value = family.value(life) if family.value else None
                    samples = family.values(life) if family.values else () if value is None else [((), value)]
                    for values, number in samples if published.detail != "account" else ():
                        labels = {"account": account, **_stream_labels(stream)}
                        metric.add_sample(family.name, labels | dict(zip(family.labels, values, strict=True)), number)
            metrics.append(metric)
        return metrics

    def _totals(self, family: TotalFamily) -> Metric:
        metric = _metric(family)
        for account, published in self._accounts.items():
            for values, number in family.values(published.snapshot.totals):
                labels = {"account": account, **dict(zip(family.labels, values, strict=True))}
                metric.add_sample(family.name, labels, number)
        return metric


def _metric(family: Family) -> Metric:
    return Metric(family.name.removesuffix("_total"), family.help, family.type)


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
