"""Decodes pages of `GET /session`.

A page is decoded in one pass, and profiles that are equal in JSON are decoded once. If that fails, the items are
decoded one by one, and an invalid item field by field. If msgspec rejects the page as a whole (NaN, lone surrogates,
deep nesting), Python's decoder is used. An invalid value is dropped without its session, an invalid session without its
page, and both are counted.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from exporter.livepeer.body import NORMAL_BODY_BYTES, Body
from exporter.livepeer.errors import ResponseTooLargeError, SchemaError
from exporter.livepeer.lenient import MAX_PROFILES_BYTES, LenientDecoder, parse_json
from exporter.sessions.session import INVALID_TIME, MAX_ID, Profile, Profiles, Session
from exporter.text import clean

MAX_ITEMS: Final = 100_000
"""Sessions of one page. The API returns at most 1000, but a proxy may combine pages."""

MAX_VALUES: Final = 1_000_000
"""Values of a page that is larger than `NORMAL_BODY_BYTES`. A page of 1000 sessions has about 80,000."""

EARLIEST_TIME: Final = 1_420_070_400_000.0
"""2015-01-01 in milliseconds. Livepeer did not exist earlier, so an earlier time is not in milliseconds."""

MAX_FUTURE: Final = 86_400_000.0
"""Milliseconds that a time may be ahead of the server's clock: one day."""


class _Row(Session, frozen=True, gc=False, rename="camel"):
    """A session whose profiles are not decoded yet; `_decode_profiles` replaces them.

    The object keeps this class, and objects of different classes are never equal.
    """

    profiles: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


_page_decoder: Final = msgspec.json.Decoder(list[_Row])
_items_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_item_decoder: Final = msgspec.json.Decoder(_Row)
_profiles_decoder: Final = msgspec.json.Decoder(Profiles | None)


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """The content of one page.

    Attributes:
        sessions: the valid sessions in the page's order.
        ids: the id of each session as the server sent it, with unprintable characters, to be used as a cursor.
        items: number of items, valid or not.
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
    """

    sessions: list[Session]
    ids: list[str]
    items: int
    invalid_values: Counter[tuple[str, str]] = field(default_factory=Counter)
    invalid_sessions: Counter[str] = field(default_factory=Counter)


def decode_page(body: Body, now: float) -> DecodedPage:
    """Decode one page.

    Args:
        body: the decompressed body.
        now: the server's time in Unix seconds, to validate the times of sessions.

    Raises:
        ResponseTooLargeError: there are too many items, values or invalid objects.
        DecodeError: the body is not JSON, or nested too deeply.
        SchemaError: the body is JSON, but not an array.
    """
    if len(body) > NORMAL_BODY_BYTES and body.count(b",") >= MAX_VALUES:
        raise ResponseTooLargeError(f"a page has more than {MAX_VALUES} values")
    decoder = _PageDecoder(latest_time=now * 1000 + MAX_FUTURE)
    try:
        sessions, items = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        sessions, items = decoder.decode_leniently(body)
    if items > MAX_ITEMS:
        raise ResponseTooLargeError(f"a page has more than {MAX_ITEMS} items")
    ids = [session.id for session in sessions]
    return DecodedPage(
        sessions=decoder.validated(sessions, ids),
        ids=ids,
        items=items,
        invalid_values=decoder.invalid_values,
        invalid_sessions=decoder.invalid_sessions,
    )


class _PageDecoder:
    """Decodes one page and counts what it drops.

    If there are more than `MAX_ITEMS` items, no session is decoded, so that they are not kept by the exception.
    """

    def __init__(self, latest_time: float) -> None:
        self._latest_time = latest_time
        self._lenient = LenientDecoder()
        self._profiles: dict[bytes, tuple[Profile, ...] | None] = {b"": None}
        self.invalid_values = self._lenient.invalid_values
        self.invalid_sessions = self._lenient.invalid_sessions

    def decode(self, body: Body) -> tuple[list[Session], int]:
        """Return the sessions and the number of items of a page that msgspec accepts; raise msgspec's errors if not."""
        try:
            rows = _page_decoder.decode(body)
            return (self._decode_profiles(rows) if len(rows) <= MAX_ITEMS else []), len(rows)
        except msgspec.ValidationError:
            return self._decode_item_by_item(body)

    def decode_leniently(self, body: Body) -> tuple[list[Session], int]:
        """Return the sessions and the number of items of a page that msgspec rejects."""
        items = parse_json(body)
        if not isinstance(items, list):
            raise _not_an_array()
        return (self._lenient.sessions(items) if len(items) <= MAX_ITEMS else []), len(items)

    def _decode_item_by_item(self, body: Body) -> tuple[list[Session], int]:
        try:
            items = _items_decoder.decode(body)
        except msgspec.ValidationError:
            raise _not_an_array() from None
        sessions: list[Session] = []
        for item in items if len(items) <= MAX_ITEMS else ():
            try:
                sessions += self._decode_profiles([_item_decoder.decode(item)])
            except (msgspec.DecodeError, RecursionError, ValueError):
                sessions += self._lenient.sessions([parse_json(memoryview(item))])
        return sessions, len(items)

    def _decode_profiles(self, rows: list[_Row]) -> list[Session]:
        decoded, too_long = self._profiles, 0
        for row in rows:
            text = bytes(row.profiles)
            if len(text) > MAX_PROFILES_BYTES:
                too_long += 1
                text = b""
            elif text not in decoded:
                decoded[text] = _profiles_decoder.decode(text)
            # The row is not shared yet, so changing it in place is safe.
            msgspec.structs.force_setattr(row, "profiles", decoded[text])
        if too_long:  # counted last: if decoding fails, the rows are decoded and counted again
            self.invalid_values["profiles", "range"] += too_long
        return [*rows]

    def validated(self, sessions: list[Session], ids: list[str]) -> list[Session]:
        """Drop impossible times, and replace unprintable characters in ids."""
        last_seen = [each.last_seen for each in sessions if each.last_seen and each.last_seen != INVALID_TIME]
        created = [session.created_at for session in sessions if session.created_at is not None]
        all_ids = "".join(ids)
        if self._are_times(last_seen) and self._are_times(created) and all_ids.isascii() and all_ids.isprintable():
            return sessions
        return [self._validated(session) for session in sessions]

    def _validated(self, session: Session) -> Session:
        changes: dict[str, Any] = {}
        if session.last_seen and session.last_seen != INVALID_TIME and not self._are_times([session.last_seen]):
            self.invalid_values["lastSeen", "range"] += 1
            changes["last_seen"] = INVALID_TIME
        if session.created_at is not None and not self._are_times([session.created_at]):
            self.invalid_values["createdAt", "range"] += 1
            changes["created_at"] = None
        if (printable := clean(session.id, MAX_ID)) != session.id:
            changes["id"] = printable
        return msgspec.structs.replace(session, **changes) if changes else session

    def _are_times(self, values: list[float]) -> bool:
        return not values or (min(values) >= EARLIEST_TIME and max(values) <= self._latest_time)


def _not_an_array() -> SchemaError:
    return SchemaError("the response is JSON, but not an array of sessions")
