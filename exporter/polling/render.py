"""Which series of sessions and streams an account has at its level of detail, and their text."""

from collections.abc import Collection, Sequence

import msgspec

from exporter.cooperative import Cooperative
from exporter.metrics.catalogue import (
    SubjectFamily,
    series_of_stream_life,
    session_life_families,
    stream_life_families,
)
from exporter.metrics.page_store import PageStore
from exporter.metrics.series_limit import Shared, select, series_per_subject
from exporter.metrics.text_format import Rendered, render_subjects, session_labels, stream_labels
from exporter.polling.plan import Plan
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.session import Session
from exporter.sessions.snapshot import ACTIVE, ENDED, SessionState, Snapshot
from exporter.sessions.stream_life import StreamLife
from exporter.sessions.streams import Stream, StreamState, group_by_stream, stream_id, stream_of


class RenderedSeries(msgspec.Struct, frozen=True):
    """The series of an account.

    Attributes:
        rendered: their text.
        exported: the number of sessions or streams that have series of their own.
        dropped: the number of the others.
    """

    rendered: Rendered = msgspec.field(default_factory=lambda: Rendered({}, 0))
    exported: int = 0
    dropped: int = 0


class Series(msgspec.Struct, frozen=True):
    """The series of sessions and streams after a poll.

    Attributes:
        plan: how the account is polled; decides the level of detail.
        page_store: has the families, and the series budget.
        snapshot: the sessions.
        lifecycle: what is remembered of them.
    """

    plan: Plan
    page_store: PageStore
    snapshot: Snapshot
    lifecycle: LifecycleState

    def render(self) -> Cooperative[RenderedSeries]:
        """Render them, within the series budget."""
        if self.plan.detail == "stream":
            return (yield from self._render_streams())
        if self.plan.detail == "session":
            return (yield from self._render_sessions())
        self._claim(0)
        return RenderedSeries()

    def count(self) -> Cooperative[int]:
        """Return the number of series without a limit."""
        if self.plan.detail == "stream":
            streams = yield from group_by_stream(self.snapshot.sessions)
            return sum((yield from series_per_subject(streams, self._stream_families())))
        if self.plan.detail == "account":
            return 0
        sizes = yield from series_per_subject(self.snapshot.sessions, self._session_families())
        return sum(sizes) + sum(self._shared().sizes.values())

    def _claim(self, series: int) -> int:
        return self.page_store.budget.claim(self.plan.account, series)

    def _session_families(self) -> Sequence[SubjectFamily[Session]]:
        return (*self.page_store.session_families, *session_life_families(self.lifecycle.active))

    def _life_families(self) -> Sequence[SubjectFamily[Stream]]:
        return stream_life_families(self.lifecycle.streams.present, is_shard=self.plan.is_shard)

    def _stream_families(self) -> Sequence[SubjectFamily[Stream]]:
        return (*self.page_store.stream_families, *self._life_families())

    def _shared(self) -> Shared[Session]:
        """Return the series that sessions have in common with the others of their stream."""
        names = _streams_of(self.snapshot.sessions)
        lives = self.lifecycle.streams.present
        is_shard = self.plan.is_shard
        active = series_of_stream_life(StreamLife(health="unknown"), is_shard=is_shard)
        inactive = series_of_stream_life(StreamLife(), is_shard=is_shard)
        sizes = {name: inactive if lives[name].health is None else active for name in names}
        return Shared(stream_id, sizes)

    def _render_streams(self) -> Cooperative[RenderedSeries]:
        streams = yield from group_by_stream(self.snapshot.sessions)
        families, account = self._stream_families(), self.plan.account
        selected = yield from select(streams, families, _last_seen, self._claim)
        known = self.page_store.rendered(account)
        rendered = yield from render_subjects(selected.subjects, families, stream_labels(account), known)
        return RenderedSeries(rendered, len(selected.subjects), selected.dropped)

    def _render_sessions(self) -> Cooperative[RenderedSeries]:
        families, account = self._session_families(), self.plan.account
        shared = self._shared()
        selected = yield from select(self.snapshot.sessions, families, _last_seen, self._claim, shared)
        known = self.page_store.rendered(account)
        of_sessions = yield from render_subjects(selected.subjects, families, session_labels(account), known)
        streams = self._states_of(_streams_of(selected.subjects) if selected.dropped else shared.sizes)
        of_streams = yield from render_subjects(streams, self._life_families(), stream_labels(account), known)
        rendered = Rendered({**of_sessions.chunks, **of_streams.chunks}, of_sessions.series + of_streams.series)
        return RenderedSeries(rendered, len(selected.subjects), selected.dropped)

    def _states_of(self, names: Collection[str | None]) -> Sequence[StreamState]:
        """Return streams with their states, ordered by id, without their sessions."""
        lives = self.lifecycle.streams.present
        ordered = sorted(names, key=lambda name: name or "")
        return [(Stream(name, ()), ENDED if lives[name].health is None else ACTIVE) for name in ordered]


def _streams_of(sessions: Sequence[SessionState]) -> set[str | None]:
    """Return the ids of the streams of sessions."""
    parents = {session.parent_id for session, _ in sessions}
    return {stream_of(parent) for parent in parents}


def _last_seen(subject: Session | Stream) -> float:
    return subject.last_seen or 0.0
