"""How an account is polled, and the state of its polling; immutable values."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.query import Scope
from exporter.sessions.snapshot import Windows

Detail = Literal["session", "stream", "account"]


@dataclass(frozen=True, slots=True)
class PollStart:
    """When a poll began, and with which key.

    Attributes:
        wall: Unix seconds of our wall clock.
        monotonic: seconds of our monotonic clock.
        credentials: digest of the base URL and the key; None if the key is missing.
    """

    wall: float
    monotonic: float
    credentials: bytes | None = field(default=None, repr=False)


class Plan(msgspec.Struct, frozen=True):
    """How an account is polled. Durations are in seconds.

    Attributes:
        account: its name, the value of the label.
        base_url: of the API.
        interval: from the start of one poll to the start of the next.
        recording_interval: from one request for recordings before the session window to the next.
        deadline: maximum duration of a poll's requests.
        max_staleness: age from which data is no longer shown.
        detail: what has series of its own: each session, each stream, or the account alone.
        scope: the sessions that are requested.
        windows: the ages by which sessions are selected and classified.
        shard: index and number of shards.
    """

    account: str
    base_url: str
    interval: float
    recording_interval: float
    deadline: float
    max_staleness: float
    detail: Detail
    scope: Scope
    windows: Windows
    shard: tuple[int, int] = (0, 1)

    @property
    def scope_id(self) -> str:
        """Eight hex digits that are the same in exporters that poll the same sessions, whatever their key."""
        polled = [self.base_url, sorted(self.scope.stream_ids), *self.shard]
        return sha256(json.dumps(polled).encode()).hexdigest()[:8]

    @property
    def is_shard(self) -> bool:
        """Whether the poll reads a part of the sessions only, and so only some sessions of a stream."""
        return self.scope.ids != ALL_IDS

    @property
    def reported_streams(self) -> frozenset[str]:
        """The configured streams whose state is reported; none in a shard, which sees only some of their sessions."""
        return frozenset() if self.is_shard else self.scope.stream_ids


class Failure(NamedTuple):
    """Why a poll failed.

    Attributes:
        kind: a value of the label ``class`` of ``exporter_poll_failures_total``.
        text: the reason, safe to show.
    """

    kind: str
    text: str


class Status(msgspec.Struct, frozen=True):
    """The state of an account's polling. Times are Unix seconds of our clock.

    Attributes:
        succeeded: when the last good poll ended; None before the first.
        failures: failed polls since then.
        failure: the last one; None after a good poll.
        next_poll: when the next poll is due after a failure; None while the interval applies.
    """

    succeeded: float | None = None
    failures: int = 0
    failure: Failure | None = None
    next_poll: float | None = None
