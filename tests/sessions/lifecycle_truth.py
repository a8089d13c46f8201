"""A plain model of the lifecycle metrics, which shares no code with the exporter.

It keeps every good poll, and applies the definitions of docs/metrics.md to them. All times are integer milliseconds.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.sessions.truth import replayed

ACTIVE_WINDOW = 90_000
FIVE_MINUTES = 300_000
DAY = 86_400_000
FIELDS = ("source_bytes", "transcoded_bytes", "source_segments_duration", "transcoded_segments_duration")
DEFINITE = ("waiting", "ready", "failed", "deleted", "none")


@dataclass(frozen=True)
class Row:
    """A session as a poll read it."""

    name: str
    stream: str | None
    created: int
    last_seen: int
    healthy: bool | None
    recording: str | None
    """None if it is not recorded; "?" stands for a status that is not in the documentation of the API."""
    amounts: dict[str, int | None]
    """By field, in eighths."""


@dataclass(frozen=True)
class GoodPoll:
    """A good poll: the time by the server's clock and by the monotonic clock, and what it could and did show."""

    server: int
    monotonic: int
    true: int
    duration: int
    interval: int
    streams: frozenset[str] | None
    window: int
    recording_window: int
    api: str
    recordings: bool
    """Whether it requests the recorded sessions before the session window."""
    rows: dict[str, Row]
    unread: dict[str, Row]
    """The recorded sessions that the account still has, as they were read last, if it does not request them."""

    @property
    def present(self) -> set[str | None]:
        return {row.stream for row in (*self.rows.values(), *self.unread.values())}

    def in_scope(self, stream: str | None) -> bool:
        return self.streams is None or stream in self.streams

    def could_show(self, row: Row, server: int) -> bool:
        """Return whether a poll with this scope could show a session at a time of the server."""
        window = max(self.window, self.recording_window) if row.recording else self.window
        return self.in_scope(row.stream) and server - (row.last_seen or row.created) <= window

    def had_scope_for(self, row: Row, later: "GoodPoll") -> bool:
        """Return whether the session would have been in a later poll too, if that had the scope of this one."""
        same = (self.streams, self.window) == (later.streams, later.window)
        return same or self.could_show(row, later.server)

    def state(self, row: Row) -> str:
        if row.last_seen:
            return "active" if self.server - row.last_seen <= ACTIVE_WINDOW else "ended"
        return "pending" if self.server - row.created <= self.window else "ended"

    def health(self, stream: str | None) -> str | None:
        found = {row.healthy for row in self.rows.values() if row.stream == stream and self.state(row) == "active"}
        if not found:
            return None
        return "unhealthy" if False in found else "healthy" if True in found else "unknown"

    def own_health(self, name: str) -> str | None:
        row = self.rows.get(name)
        if row is None or self.state(row) != "active":
            return None
        return {True: "healthy", False: "unhealthy", None: "unknown"}[row.healthy]


@dataclass
class Truth:
    """What the metrics should be, in milliseconds and eighths."""

    observed: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    episodes: Counter[str | None] = field(default_factory=Counter)
    started: Counter[str | None] = field(default_factory=Counter)
    recordings: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    amounts: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    account_observed: Counter[str] = field(default_factory=Counter)
    account_episodes: int = 0
    unobserved: int = 0
    reconnects: int = 0
    never_started: int = 0
    durations: list[int] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    processing: list[tuple[str, int]] = field(default_factory=list)


class Model:
    """Applies the definitions to one good poll after the other."""

    def __init__(self) -> None:
        self.truth = Truth()
        self.polls: list[GoodPoll] = []
        """Since the last baseline."""
        self.last_answer: dict[str | None, int] = {}
        self._reset()

    def _reset(self) -> None:
        self.polls.clear()
        self.values: dict[tuple[str, str], list[int]] = {}
        self.read_in_scope: dict[str, int] = {}
        self.results: dict[str, str | None] = {}
        self.new: set[str] = set()
        self.end_seen: set[str] = set()
        self.start_decided: set[str] = set()
        self.own: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def poll(self, poll: GoodPoll) -> None:
        if self.polls and self.polls[-1].api != poll.api:
            self._reset()
        before = self.polls[-1] if self.polls else None
        self._forget(before, poll)
        if before is not None:
            self._time(before, poll)
        started = [row for row in poll.rows.values() if self._values(before, poll, row)]
        for row in started:
            self.truth.started[row.stream] += 1
            self.truth.reconnects += self._is_reconnect(poll, row)
        if before is not None:
            self._events(before, poll)
        else:
            self._decide_at_baseline(poll)
        self.polls.append(poll)

    def _scope_since(self, poll: GoodPoll, stream: str | None) -> int:
        """Return the true time of the first poll of the present run of polls with the stream in scope."""
        since = poll.true
        for each in reversed(self.polls):
            if not each.in_scope(stream):
                break
            since = each.true
        return since

    def _forget(self, before: GoodPoll | None, poll: GoodPoll) -> None:
        present = before.present if before else set()
        for stream in poll.present:
            last = self.last_answer.get(stream)
            if stream not in present and last is not None and poll.monotonic - last >= DAY:
                truth = self.truth
                del truth.episodes[stream], truth.started[stream]
                for counter in (truth.observed, truth.recordings, truth.amounts):
                    for key in [key for key in counter if key[0] == stream]:
                        del counter[key]
            self.last_answer[stream] = poll.monotonic

    def _time(self, before: GoodPoll, poll: GoodPoll) -> None:
        passed = poll.monotonic - before.monotonic
        counted = min(passed, max(2 * poll.interval, 60_000) + poll.duration)
        for stream in {row.stream for row in before.rows.values()}:
            health = before.health(stream)
            if health is not None and poll.in_scope(stream):
                self.truth.observed[stream, health] += counted
                self.truth.account_observed[health] += counted
                self.truth.unobserved += passed - counted
        for name, row in before.rows.items():
            own = before.own_health(name)
            if own is not None and poll.in_scope(row.stream):
                self.own[name][own] += counted

    def _values(self, before: GoodPoll | None, poll: GoodPoll, row: Row) -> bool:
        """Count the growth and the recording of a session; return whether it counts as started."""
        since = self._scope_since(poll, row.stream)
        is_known = row.name in self.read_in_scope
        shown = before is not None and before.had_scope_for(row, poll)
        new = not is_known and shown and row.created > since
        is_reference = not new and (not is_known or self.read_in_scope[row.name] != since)
        self.read_in_scope[row.name] = since
        for name, value in row.amounts.items():
            values = self.values.setdefault((row.name, name), [])
            if is_reference:
                values.clear()
            if new:
                values.append(0)
            if value is not None:
                grown = replayed(values) if values else 0
                values.append(value)
                self.truth.amounts[row.stream, name] += replayed(values) - grown
        status = row.recording if row.recording in DEFINITE else None
        last = self.results.get(row.name)
        if not is_reference and (status is None or (last in ("ready", "failed") and status == "waiting")):
            status = last  # unknown, or a replica that is behind
        if not is_reference and status in ("ready", "failed") and status != last:
            self.truth.recordings[row.stream, status] += 1
            if row.last_seen > 0:
                self.truth.processing.append((status, max(0, poll.server - row.last_seen)))
        self.results[row.name] = status
        if new:
            self.new.add(row.name)
        return new

    def _is_reconnect(self, poll: GoodPoll, row: Row) -> bool:
        return row.stream is not None and any(
            other.stream == row.stream
            and (other.created, other.name) < (row.created, row.name)
            and other.last_seen > 0
            and other.last_seen >= row.created - FIVE_MINUTES
            for other in poll.rows.values()
        )

    def _events(self, before: GoodPoll, poll: GoodPoll) -> None:
        for stream in {row.stream for row in poll.rows.values()}:
            if poll.health(stream) == "unhealthy" and before.health(stream) != "unhealthy" and before.in_scope(stream):
                self.truth.episodes[stream] += 1
                self.truth.account_episodes += 1
        for name, row in poll.rows.items():
            state = poll.state(row)
            if state == "ended" and row.last_seen > 0 and name not in self.end_seen:
                self.end_seen.add(name)
                was_active = any(each.own_health(name) for each in self.polls)
                if (was_active or name in self.new) and before.in_scope(row.stream):
                    self._ended(row)
            if state == "pending" and poll.server - row.created >= FIVE_MINUTES and name not in self.start_decided:
                self.start_decided.add(name)
                baseline = self._scope_since(poll, row.stream)
                seen = any(name in each.rows for each in self.polls)
                if row.created + FIVE_MINUTES > baseline and (seen or before.had_scope_for(row, poll)):
                    self.truth.never_started += 1

    def _decide_at_baseline(self, poll: GoodPoll) -> None:
        for name, row in poll.rows.items():
            state = poll.state(row)
            if state == "ended" and row.last_seen > 0:
                self.end_seen.add(name)
            if state == "pending" and poll.server - row.created >= FIVE_MINUTES:
                self.start_decided.add(name)

    def _ended(self, row: Row) -> None:
        duration = row.amounts["source_segments_duration"]
        if duration is not None:
            self.truth.durations.append(duration)
        own = self.own[row.name]
        if own["healthy"] + own["unhealthy"]:
            self.truth.ratios.append(own["unhealthy"] / (own["healthy"] + own["unhealthy"]))

    def stream_since(self, stream: str | None) -> int | None:
        """Return the server time of the first poll of the present run of polls with the same health."""
        return self._since([poll.health(stream) for poll in self.polls])

    def session_since(self, name: str) -> int | None:
        return self._since([poll.own_health(name) for poll in self.polls])

    def _since(self, states: list[Any]) -> int | None:
        first = len(states) - 1
        if states[first] is None:
            return None
        while first > 0 and states[first - 1] == states[-1]:
            first -= 1
        return self.polls[first].server
