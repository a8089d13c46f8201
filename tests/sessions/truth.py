"""A model of the truth about an account's counters, which shares no code with the exporter.

Streams live and send bytes; polls see them through a scope, a possibly stale replica, and gaps. The model has
all bytes that were sent, and applies the definitions of docs/reliability.md (D01 to D04) to each session.
"""

from dataclasses import dataclass, field


@dataclass
class Life:
    """The truth about one session: bytes received by time, in integer seconds and bytes."""

    name: str
    stream: str
    born: int
    history: dict[int, int] = field(default_factory=dict)
    """Seconds to the bytes received so far; they may restart at a lower value."""
    recorded: bool = False
    ready: int = 0
    """When its recording is ready, if it is recorded."""

    def sent(self, time: int) -> int:
        return max((when, value) for when, value in self.history.items() if when <= time)[1]


@dataclass
class Model:
    """What the counters should be.

    Attributes:
        total: bytes that count.
        started: sessions that count as started.
        finished: recordings that count as finished.
    """

    total: int = 0
    started: int = 0
    finished: int = 0
    baseline: int | None = None
    in_scope_since: dict[str, int] = field(default_factory=dict)
    seen: dict[str, list[int]] = field(default_factory=dict)
    """By session the values read of it since its reference, the reference first."""
    unfinished: dict[str, bool] = field(default_factory=dict)
    """By session whether its recording was unfinished when it was last read; a new session's is."""
    seen_in_scope: dict[str, int] = field(default_factory=dict)
    """By session since when its stream was in scope when it was last read."""

    def poll(self, time: int, streams: set[str], read: dict[str, tuple[Life, int]]) -> None:
        """Take in a good poll.

        Args:
            time: true seconds.
            streams: the streams in scope.
            read: by session its life and the bytes that the poll read.
        """
        self.in_scope_since = {each: self.in_scope_since.get(each, time) for each in streams}
        if self.baseline is None:
            self.baseline = time
        for name, (life, value) in read.items():
            since = self.in_scope_since[life.stream]
            if name not in self.seen or self.seen_in_scope[name] != since:
                new = name not in self.seen and life.born > max(since, self.baseline)
                self.seen[name] = [0] if new else [value]
                self.started += new
                self.unfinished[name] = new
            is_ready = life.recorded and life.ready <= time
            self.finished += is_ready and self.unfinished[name]
            self.unfinished[name] = life.recorded and not is_ready
            self.seen_in_scope[name] = since
            self.total += self._count(name, value)

    def _count(self, name: str, value: int) -> int:
        """Count by the plain text of D04: replay all values since the reference."""
        values = self.seen[name]
        before = replayed(values)
        values.append(value)
        return replayed(values) - before


def replayed(values: list[int]) -> int:
    """Return the growth over a series of values: the highest so far counts, and three lower ones in a row restart."""
    total, highest, place = 0, values[0], 1
    lower: list[int] = []
    while place < len(values):
        value = values[place]
        if value >= highest:
            total, highest, lower = total + value - highest, value, []
        else:
            lower.append(value)
            if len(lower) == 3:
                highest, place, lower = lower[0], place - 2, []
        place += 1
    return total
