"""The families of each stream, derived from those of its sessions, for the level of detail ``stream``.

Over shards, families that are a sum add up; for the others see docs/scaling.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from exporter.metrics.catalogue.family import PREFIX, Combine, Sample, SessionFamily, StreamFamily
from exporter.metrics.catalogue.sessions import session_families
from exporter.metrics.catalogue.texts import Options
from exporter.sessions.session import Session
from exporter.sessions.snapshot import STATES, State
from exporter.sessions.streams import Stream

_REDUCERS: Final[dict[Combine, Callable[[Iterable[float]], float]]] = {
    Combine.SUM: sum,
    Combine.MIN: min,
    Combine.MAX: max,
}


def _states(stream: Stream, _state: State) -> Sequence[Sample]:
    states = [state for _, state in stream.sessions]
    return [((state,), float(states.count(state))) for state in STATES]


_SESSIONS: Final = StreamFamily(
    name=f"{PREFIX}stream_sessions",
    help="Number of the stream's sessions by state.",
    labels=("state",),
    label_values=(STATES,),
    values=_states,
    max_series=len(STATES),
)


def stream_families(options: Options) -> tuple[StreamFamily, ...]:
    """Return the families of each stream, in the order of the page."""
    families = session_families(options)
    plain = [stream_family(each) for each in families if not each.labels]
    labelled = [stream_family(each) for each in families if each.labels]
    return (*plain, _SESSIONS, *labelled)


def stream_family(family: SessionFamily) -> StreamFamily:
    """Derive the family of a stream from that of its sessions."""
    combine = family.combine
    scope = "that session" if combine is Combine.LATEST else "every session of the stream"
    return StreamFamily(
        name=family.name.replace("session_", "stream_", 1),
        help=f"{family.help.removesuffix('.')}, {combine.value}.",
        labels=family.labels,
        label_values=family.label_values,
        absent_when=family.absent_when if family.absent_when == "never" else f"{family.absent_when}, for {scope}",
        max_series=family.max_series,
        off_dashboards=family.off_dashboards or "the dashboards show it for each session",
        value=_value(family.value, family.combine) if family.value else None,
        values=_values(family) if family.values else None,
    )


def _value(
    value: Callable[[Session, State], float | None], combine: Combine
) -> Callable[[Stream, State], float | None]:
    if combine is Combine.LATEST:
        return lambda stream, _: value(*stream.latest)
    reduce = _REDUCERS[combine]

    def combined(stream: Stream, _state: State) -> float | None:
        known = [found for each in stream.sessions if (found := value(*each)) is not None]
        return reduce(known) if known else None

    return combined


def _values(family: SessionFamily) -> Callable[[Stream, State], Sequence[Sample]]:
    if family.combine is Combine.LATEST:
        return lambda stream, _: family.samples(*stream.latest)

    def samples_of(stream: Stream) -> Iterator[Sample]:
        return chain.from_iterable(family.samples(*each) for each in stream.sessions)

    def union(stream: Stream, _state: State) -> Sequence[Sample]:
        return list(islice(dict(samples_of(stream)).items(), family.max_series))

    def sums(stream: Stream, _state: State) -> Sequence[Sample]:
        found: dict[tuple[str, ...], float] = {}
        for labels, number in samples_of(stream):
            found[labels] = found.get(labels, 0.0) + number
        return list(found.items())

    return union if family.combine is Combine.UNION else sums
