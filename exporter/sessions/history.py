"""What the status page shows of the past of a session and its stream."""

import msgspec

from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.session import Session
from exporter.sessions.stream_life import recent
from exporter.sessions.streams import stream_id


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A time.

    Attributes:
        at: Unix seconds of the API's clock.
        ago: seconds.
    """

    at: float
    ago: float

    def aged(self, seconds: float) -> "Moment":
        """Return the same time, some seconds later."""
        return Moment(self.at, self.ago + seconds)


class SessionHistory(msgspec.Struct, frozen=True, gc=False):
    """The past of a session and its stream.

    Attributes:
        since: the first poll from which on the session has had its present health; None if it is unknown or inactive.
        episodes: times in the last hour at which its stream became unhealthy.
        reconnects: times in the last hour at which its stream reconnected.
        last_reconnect: the last of these.
    """

    since: Moment | None = None
    episodes: int = 0
    reconnects: int = 0
    last_reconnect: Moment | None = None

    def aged(self, seconds: float) -> "SessionHistory":
        """Return the same past, some seconds later."""
        since, last = (None if each is None else each.aged(seconds) for each in (self.since, self.last_reconnect))
        return msgspec.structs.replace(self, since=since, last_reconnect=last)


def history_of(session: Session, lifecycle: LifecycleState, now: float) -> SessionHistory:
    """Return the past of a session; that of sessions without a parent stream is their own only.

    Args:
        session: the session.
        lifecycle: after the poll.
        now: Unix seconds of the API's clock when the poll began.
    """
    life = lifecycle.active.get(session.id)
    since = _moment(life.since, now) if life and life.health else None
    name = stream_id(session)
    stream = lifecycle.streams.present.get(name) if name else None
    if stream is None:
        return SessionHistory(since)
    reconnects = recent(stream.recent_reconnects, now)
    last = _moment(reconnects[-1], now) if reconnects else None
    return SessionHistory(since, len(recent(stream.recent_episodes, now)), len(reconnects), last)


def _moment(time: float, now: float) -> Moment:
    return Moment(time, max(0.0, now - time))
