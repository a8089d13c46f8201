"""Decides about each call of an account's webhook, and counts it."""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.webhooks.event import CONCERNING_SESSIONS, OF_RECORDINGS, TARGET_RESULTS, Event, parse_event
from exporter.webhooks.signature import parse_signature

MAX_AGE: Final = 300.0
"""Seconds by which the time of a call may differ from the API's clock."""

MAX_SEEN: Final = 10_000
"""Events of an account that are remembered, to count each once."""

NO_EVENT: Final = "none"
"""The label of a call whose event is not known, since it was refused."""


class Verdict(NamedTuple):
    """What became of a call: its status code, and its label ``result``."""

    status: int
    result: str


ACCEPTED: Final = Verdict(204, "accepted")
REPEATED: Final = Verdict(204, "repeated")
UNSIGNED: Final = Verdict(401, "unauthorized")
EXPIRED: Final = Verdict(401, "expired")
INVALID: Final = Verdict(400, "invalid")
TOO_LARGE: Final = Verdict(413, "too_large")
TOO_SLOW: Final = Verdict(408, "too_slow")


class SeenEvents:
    """The ids of the last events; a bound, so that a flood of calls does not fill the memory."""

    def __init__(self, limit: int = MAX_SEEN) -> None:
        self._limit = limit
        self._ids: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, name: str) -> bool:
        """Remember an event; return whether it is new."""
        if name in self._ids:
            return False
        self._ids[name] = None
        if len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]
        return True


class Hints(Protocol):
    """Receives which stream has changed."""

    def add(self, stream_id: str, time: float | None, *, of_recording: bool) -> None:
        """Poll a stream soon.

        Args:
            stream_id: of the parent stream.
            time: of the event, Unix seconds of the API's clock; None if its lag is not measured.
            of_recording: whether the event is about a recording.
        """


class Intake:
    """The webhook of one account.

    Args:
        secrets: returns the secrets in use.
        now: Unix seconds of the API's clock.
        telemetry: the account's instruments.
        seen: the events so far; kept when the settings change.
        hints: of the account.
    """

    def __init__(
        self,
        secrets: Callable[[], tuple[str, ...]],
        now: Callable[[], float],
        telemetry: Telemetry,
        seen: SeenEvents,
        hints: Hints,
    ) -> None:
        self.seen: Final = seen
        self._secrets = secrets
        self._now = now
        self._telemetry = telemetry
        self._hints = hints

    def take(self, body: bytes, header: str) -> Verdict:
        """Check a call and act on it: the signature first, and only then the content of the body.

        Args:
            body: as received.
            header: the value of ``Livepeer-Signature``; empty if there is none.
        """
        signature = parse_signature(header)
        if signature is None or not signature.matches(body, self._secrets()):
            return self.refuse(UNSIGNED)
        if self._is_expired(signature.time / 1000):
            return self.refuse(EXPIRED)
        event = parse_event(body)
        if event is None:
            return self.refuse(INVALID)
        # The same time as that of the header, but signed: the API sets both for each attempt.
        if event.sent is not None and self._is_expired(event.sent):
            return self.refuse(EXPIRED)
        verdict = ACCEPTED if self.seen.add(event.id) else REPEATED
        self._telemetry.count(catalogue.WEBHOOKS, 1, event.name, verdict.result)
        if verdict is ACCEPTED and event.name in TARGET_RESULTS:
            self._telemetry.count(catalogue.MULTISTREAM_EVENTS, 1, TARGET_RESULTS[event.name])
        self._hint(event, is_new=verdict is ACCEPTED)
        return verdict

    def _is_expired(self, time: float) -> bool:
        return abs(time - self._now()) > MAX_AGE

    def refuse(self, verdict: Verdict) -> Verdict:
        """Count a call whose event is not known."""
        self._telemetry.count(catalogue.WEBHOOKS, 1, NO_EVENT, verdict.result)
        return verdict

    def _hint(self, event: Event, *, is_new: bool) -> None:
        if event.stream_id is not None and event.name in CONCERNING_SESSIONS:
            # The age of a call that is sent again is not a lag of the exporter.
            time = event.time if is_new else None
            self._hints.add(event.stream_id, time, of_recording=event.name in OF_RECORDINGS)
