"""Decodes pages of `GET /session` in short steps.

A usual page is decoded in one step, and profiles that are equal in JSON are decoded once. If that fails, or if the page
is large, the items are decoded in batches, those of an invalid batch one by one, and an invalid item field by field. If
msgspec rejects the page as a whole (NaN, lone surrogates), the affected tokens are replaced first. An invalid value is
dropped without its session, an invalid session without its page, and both are counted.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.livepeer.body import NORMAL_BODY_BYTES, Body
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError, SchemaError
from exporter.livepeer.json_tokens import replace_tokens
from exporter.livepeer.lenient import MAX_PARSED_BYTES, MAX_PROFILES_BYTES, LenientDecoder
from exporter.sessions.session import INVALID_TIME, MAX_ID, Profile, Profiles, Session
from exporter.text import clean

MAX_ITEMS: Final = 20_000
"""Sessions of one page. The API returns at most 1000, but a proxy may combine pages."""

MAX_VALUES: Final = 600_000
"""Values of a page with more than `NORMAL_BODY_BYTES`. A page of 1000 sessions has about 80,000."""

BATCH_ITEMS: Final = 64
BATCH_BYTES: Final = 256 * 1024
"""Items that are decoded in one step if they are valid, and their maximum size. A session has about 1.8 kB."""

STEP_OBJECTS: Final = 100
BYTES_PER_OBJECT: Final = 2560
"""Sessions and profiles that are decoded field by field in one step. So many bytes of JSON cost as much as one."""

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

_DECODING_ERRORS: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class DecodedPage(msgspec.Struct, frozen=True):
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
    invalid_values: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    invalid_sessions: Counter[str] = msgspec.field(default_factory=Counter)


def decode_page(body: Body, now: float) -> Cooperative[DecodedPage]:
    """Decode one page; V02 of the fault matrix.

    Args:
        body: the decompressed body.
        now: the server's time in Unix seconds, to validate the times of sessions.

    Raises:
        ResponseTooLargeError: there are too many items, values, or objects with invalid values.
        DecodeError: the body is not JSON, or nested too deeply.
        SchemaError: the body is JSON, but not an array.
    """
    latest_time = now * 1000 + MAX_FUTURE
    if len(body) <= NORMAL_BODY_BYTES:
        try:
            return (yield from _decode_at_once(body, latest_time))
        except _DECODING_ERRORS:
            yield
    return (yield from _decode_items(body, latest_time))


def _decode_at_once(body: Body, latest_time: float) -> Cooperative[DecodedPage]:
    """Decode a page without invalid values; raise msgspec's errors if there are some."""
    builder = _PageBuilder(latest_time)
    rows = _page_decoder.decode(body)
    _check_count(rows)
    for number, batch in enumerate(batches(rows)):
        if number:
            yield
        builder.add(batch)
    return builder.page(len(rows))


def _decode_items(body: Body, latest_time: float) -> Cooperative[DecodedPage]:
    """Decode a page batch by batch, and a batch with an invalid item one item after the other."""
    builder = _PageBuilder(latest_time)
    items = yield from _split(body)
    yield
    _check_count(items)
    for batch in batches(items, BATCH_ITEMS):
        if not builder.add_valid_items(batch):
            yield from builder.add_items(batch)
        yield
    return builder.page(len(items))


def _split(body: Body) -> Cooperative[list[msgspec.Raw]]:
    """Divide a page into its items."""
    if len(body) > NORMAL_BODY_BYTES and body.count(b",") >= MAX_VALUES:
        raise ResponseTooLargeError(f"a page has more than {MAX_VALUES} values")
    yield
    try:
        return _items_decoder.decode(body)
    except msgspec.ValidationError:
        raise _not_an_array() from None
    except (msgspec.DecodeError, RecursionError):
        pass
    body = yield from replace_tokens(body)
    yield
    try:
        return _items_decoder.decode(body)
    except msgspec.ValidationError:
        raise _not_an_array() from None
    except (msgspec.DecodeError, RecursionError):
        raise DecodeError("the response is not JSON") from None


class _PageBuilder:
    """Collects the sessions of a page, and counts what is dropped."""

    def __init__(self, latest_time: float) -> None:
        self.lenient = LenientDecoder()
        self._latest_time = latest_time
        self._profiles: dict[bytes, tuple[Profile, ...] | None] = {b"": None}
        self._sessions: list[Session] = []
        self._ids: list[str] = []

    def page(self, items: int) -> DecodedPage:
        """Return the page."""
        return DecodedPage(
            sessions=self._sessions,
            ids=self._ids,
            items=items,
            invalid_values=self.lenient.invalid_values,
            invalid_sessions=self.lenient.invalid_sessions,
        )

    def add(self, rows: Sequence[_Row]) -> None:
        """Add rows; raise msgspec's errors, and add none, if the profiles of one are invalid."""
        self._add_sessions(self._with_profiles(rows))

    def add_valid_items(self, items: Sequence[msgspec.Raw]) -> bool:
        """Add the sessions of items; return False, and add none, if an item is invalid or if they are large."""
        if sum([memoryview(item).nbytes for item in items]) > BATCH_BYTES:
            return False
        try:
            self.add([*map(_item_decoder.decode, items)])
        except _DECODING_ERRORS:
            return False
        return True

    def add_items(self, items: Sequence[msgspec.Raw]) -> Cooperative[None]:
        """Add the sessions of items one by one."""
        cost = 0
        for item in items:
            objects = self.lenient.objects
            self._add_item(item)
            cost += memoryview(item).nbytes // BYTES_PER_OBJECT + self.lenient.objects - objects
            if cost >= STEP_OBJECTS:
                cost = 0
                yield

    def _add_item(self, item: msgspec.Raw) -> None:
        if memoryview(item).nbytes <= MAX_PARSED_BYTES:
            try:
                return self.add([_item_decoder.decode(item)])
            except _DECODING_ERRORS:
                pass
        session = self.lenient.session(item)
        return self._add_sessions([session] if session else [])

    def _with_profiles(self, rows: Sequence[_Row]) -> list[Session]:
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
        for _ in range(too_long):  # counted last: if decoding fails, the rows are decoded and counted again
            self.lenient.count_invalid("profiles", "range")
        return [*rows]

    def _add_sessions(self, sessions: list[Session]) -> None:
        """Add sessions without impossible times, and with printable ids."""
        ids = [session.id for session in sessions]
        last_seen = [each.last_seen for each in sessions if each.last_seen and each.last_seen != INVALID_TIME]
        created = [session.created_at for session in sessions if session.created_at is not None]
        all_ids = "".join(ids)
        if not (
            self._are_times(last_seen) and self._are_times(created) and all_ids.isascii() and all_ids.isprintable()
        ):
            sessions = [self._validated(session) for session in sessions]
        self._ids += ids
        self._sessions += sessions

    def _validated(self, session: Session) -> Session:
        changes: dict[str, Any] = {}
        if session.last_seen and session.last_seen != INVALID_TIME and not self._are_times([session.last_seen]):
            self.lenient.count_invalid("lastSeen", "range")
            changes["last_seen"] = INVALID_TIME
        if session.created_at is not None and not self._are_times([session.created_at]):
            self.lenient.count_invalid("createdAt", "range")
            changes["created_at"] = None
        if (printable := clean(session.id, MAX_ID)) != session.id:
            changes["id"] = printable
        return msgspec.structs.replace(session, **changes) if changes else session

    def _are_times(self, values: list[float]) -> bool:
        return not values or (min(values) >= EARLIEST_TIME and max(values) <= self._latest_time)


def _check_count(items: list[Any]) -> None:
    if len(items) > MAX_ITEMS:
        items.clear()  # the exception refers to them through its traceback
        raise ResponseTooLargeError(f"a page has more than {MAX_ITEMS} items")


def _not_an_array() -> SchemaError:
    return SchemaError("the response is JSON, but not an array of sessions")
