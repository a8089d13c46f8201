"""A good poll, as far as the lifecycle of sessions and streams depends on it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import CounterState
from exporter.sessions.session import Session
from exporter.sessions.session_events import SessionEvents
from exporter.sessions.snapshot import Windows

MIN_OBSERVED: Final = 60.0
"""Seconds after a good poll that count as observed in any case, as long as the following good poll comes later."""


class Elapsed(NamedTuple):
    """The seconds between two good polls: those for which the health at the first one counts, and the rest."""

    observed: float = 0.0
    unobserved: float = 0.0


class LifecyclePoll(msgspec.Struct, frozen=True):
    """A good poll.

    Attributes:
        sessions: all that it has read.
        unread: recorded sessions that the account still has, although this poll has not read them. Their streams are
            present; nothing happens to these sessions, and none of them is active.
        windows: decide the state of each.
        scope: the sessions that it could show.
        time: when it began.
        interval: the poll interval, seconds.
        duration: of the poll, seconds.
        before: the state of the counters before the poll.
        counters: the state of the counters after it.
        events: what the counters have found.
    """

    sessions: Sequence[Session]
    unread: Sequence[Session]
    windows: Windows
    scope: CounterScope
    time: PollTime
    interval: float
    duration: float
    before: CounterState
    counters: CounterState
    events: SessionEvents

    @property
    def previous_scope(self) -> CounterScope | None:
        """The scope of the good poll before; None at a baseline."""
        return None if self.events.is_baseline else self.before.history.current

    def elapsed_since(self, before: PollTime | None) -> Elapsed:
        """Return the time since the good poll before; nothing at a baseline.

        Time after an outage is unobserved beyond twice the interval, at least `MIN_OBSERVED`, and the duration of the
        poll that ends it.
        """
        if before is None or self.events.is_baseline:
            return Elapsed()
        seconds = self.time.monotonic - before.monotonic
        observed = min(seconds, max(2 * self.interval, MIN_OBSERVED) + self.duration)
        return Elapsed(observed, seconds - observed)

    def is_new_to_scope(self, parent_id: str | None) -> bool:
        """Return whether the stream is in the scope of this poll, but was not in that of the good poll before."""
        previous = self.previous_scope
        return previous is None or not previous.has_parent(parent_id)

    def is_baseline_of(self, session: Session, age: float) -> bool:
        """Return whether a session was this old, in seconds, at its baseline, or whether this poll is its baseline.

        The same conditions as for a session that counts as new, with the time at which it reached the age.
        """
        created, previous = session.created_at or 0.0, self.previous_scope
        if previous is None:
            return True
        if session.id not in (self.before.entries or {}):
            not_shown = previous != self.scope and not previous.shows(session, self.time.server)
            if not_shown or created <= self.before.forgotten:
                return True
        return created + age * 1000 <= self.counters.history.shown_since(session).seen_from(self.time) * 1000
