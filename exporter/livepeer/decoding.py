"""What one session is; which values of a raw item could be read, and which could not.

A page is decoded in one go, and profiles that its sessions share only once. Only where that fails, it is read item by
item, and a bad item field by field, so that one bad value costs that value and one bad session costs that session;
both are counted. Pages that msgspec refuses as a whole (NaN, lone surrogates, nesting) go through a second, lenient
decoder first.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from exporter.livepeer.body import ORDINARY, Body
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError, SchemaError
from exporter.sessions.session import MAX_ID, MAX_PROFILES, Amount, Profile, Profiles, Session
from exporter.text import clean

MAX_ITEMS: Final = 100_000
"""Sessions on one page; the API puts at most 1000 on one, but a proxy may collect them."""

MAX_PIECEMEAL: Final = 15_000
"""Objects on one page, sessions and bad profiles, that are read value by value, for which scrapes have to wait."""

MAX_VALUES: Final = 1_000_000
"""Values on a page of unusual size, which alone is counted; a full one of the API has some 80,000."""

MAX_LENIENT: Final = 4 * 1024 * 1024
"""Bytes of a page that msgspec refuses as a whole; the second decoder needs many times as much."""

MAX_PROFILES_TEXT: Final = 64 * 1024
"""Bytes that the profiles of a session may be written in; of those read piece by piece only their texts count."""

EARLIEST: Final = 1_420_070_400_000.0
"""2015-01-01 in milliseconds: an earlier time is no time in milliseconds (Livepeer did not exist)."""

LATEST_AHEAD: Final = 86_400_000.0
"""Milliseconds that a time may lie in the future of the server's clock: one day."""


class _Row(Session, frozen=True, gc=False, rename="camel"):
    """A session whose profiles wait to be read: on a page nearly all have the same, which are read, and kept, once.

    It stays one of these afterwards; whoever compares sessions compares their values, since the classes differ.
    """

    profiles: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]  # until `_with_profiles` has replaced it


_FIELDS: Final = msgspec.structs.fields(Session)
_PROFILE_FIELDS: Final = msgspec.structs.fields(Profile)


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """What one page held.

    Attributes:
        sessions: those that could be read, in the page's order.
        items: how many items the page had, readable or not.
        last_id: the last id as the server spells it, for the cursor; None on a page without ids.
        ascending: whether the ids stand in ascending order, as ``order=id-false`` asks.
        first_id: the first id as the server spells it.
        server_ids: how the server spells the ids that had to be cleaned, by what has become of them.
        invalid_values: per (field, fault) how many values were left out.
        invalid_sessions: per fault how many sessions were left out.
    """

    sessions: list[Session]
    items: int
    first_id: str | None
    last_id: str | None
    ascending: bool
    server_ids: Mapping[str, str] = field(default_factory=dict)
    invalid_values: Counter[tuple[str, str]] = field(default_factory=Counter)
    invalid_sessions: Counter[str] = field(default_factory=Counter)


_page: Final = msgspec.json.Decoder(list[_Row])
_profiles: Final = msgspec.json.Decoder(Profiles | None)
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])
_item: Final = msgspec.json.Decoder(_Row)


def decode_page(body: Body, now: float) -> DecodedPage:
    """Read one page of ``GET /session``.

    Args:
        body: the whole answer.
        now: the server's time in Unix seconds, against which the times of sessions are checked.

    Raises:
        ResponseTooLargeError: it has far more items, values or mistakes than a page of the API can have.
        DecodeError: the body is not JSON, or is nested too deeply.
        SchemaError: the body is JSON, but not an array.
    """
    if len(body) > ORDINARY and body.count(b",") >= MAX_VALUES:
        raise ResponseTooLargeError(f"a page of more than {MAX_VALUES} values")
    reader = _Reader(latest=now * 1000 + LATEST_AHEAD)
    try:
        sessions, items = reader.strictly(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        sessions, items = reader.leniently(body)
    if items > MAX_ITEMS:
        raise ResponseTooLargeError(f"a page of more than {MAX_ITEMS} items")
    ids = [session.id for session in sessions]
    return DecodedPage(
        sessions=reader.checked(sessions, ids),
        items=items,
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        ascending=ids == sorted(ids),  # what is sorted already is sorted in no time
        server_ids=reader.server_ids,
        invalid_values=reader.invalid_values,
        invalid_sessions=reader.invalid_sessions,
    )


def lenient(body: Body | memoryview) -> Any:
    """Decode JSON with everything that msgspec refuses: NaN, Infinity, numbers of any length, lone surrogates.

    Numbers that no float can hold become infinite, for the reader to count. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        ResponseTooLargeError: it has more bytes than should be read this way, which takes a multiple of them.
        DecodeError: it is not JSON even so, or is nested too deeply. The cause is not chained, since it holds the body.
    """
    if bytes(body[:64]).lstrip()[:1] not in _BEGINNINGS:
        raise DecodeError("the answer is not JSON")
    if len(body) > MAX_LENIENT:
        raise ResponseTooLargeError(f"a page of more than {MAX_LENIENT} bytes with something wrong")
    try:
        return json.loads(str(body, "utf-8", "replace"), parse_int=_number, parse_constant=float)
    except (ValueError, RecursionError):
        raise DecodeError("the answer is not JSON") from None


_BEGINNINGS: Final = b'[{"-0123456789tfnNI'
"""What JSON can begin with, Python's own additions included; HTML is told apart without reading it."""


def _number(digits: str) -> float:
    # float() reads any number of digits in linear time, while int() refuses more than 4,300.
    return float(digits)


def _array(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise SchemaError("the answer is JSON, but not a list of sessions")
    return found


class _Reader:
    """Collects what could not be read while one page is read."""

    def __init__(self, latest: float) -> None:
        self.latest = latest
        self._piecemeal = 0
        self._profiles: dict[bytes, tuple[Profile, ...] | None] = {b"": None}
        self.server_ids: dict[str, str] = {}
        self.invalid_values: Counter[tuple[str, str]] = Counter()
        self.invalid_sessions: Counter[str] = Counter()

    def strictly(self, body: Body) -> tuple[list[Session], int]:
        """The sessions of a page that msgspec can read, and how many items it has; raises what msgspec raises.

        Of too many items no session is read, here as below: a failure must not hold on to them.
        """
        try:
            rows = _page.decode(body)
            return (self._with_profiles(rows) if len(rows) <= MAX_ITEMS else []), len(rows)
        except msgspec.ValidationError:
            return self._item_by_item(body)

    def _with_profiles(self, rows: list[_Row]) -> list[Session]:
        known, too_long = self._profiles, 0
        for row in rows:
            text = bytes(row.profiles)
            if len(text) > MAX_PROFILES_TEXT:
                too_long += 1
                text = b""
            elif text not in known:
                known[text] = _profiles.decode(text)
            # Nobody has seen the row yet, so it may still change.
            msgspec.structs.force_setattr(row, "profiles", known[text])
        if too_long:  # at the end, since a page that cannot be read this way is read once more
            self.invalid_values["profiles", "range"] += too_long
        return [*rows]

    def _item_by_item(self, body: Body) -> tuple[list[Session], int]:
        try:
            raws = _items.decode(body)
        except msgspec.ValidationError:
            raise SchemaError("the answer is JSON, but not a list of sessions") from None
        sessions: list[Session] = []
        for raw in raws if len(raws) <= MAX_ITEMS else ():
            try:
                sessions += self._with_profiles([_item.decode(raw)])
            except (msgspec.DecodeError, RecursionError, ValueError):
                sessions.extend(self.values([lenient(memoryview(raw))]))
        return sessions, len(raws)

    def leniently(self, body: Body) -> tuple[list[Session], int]:
        """The same for a page that msgspec cannot read."""
        found = _array(lenient(body))
        return self.values(found) if len(found) <= MAX_ITEMS else [], len(found)

    def values(self, items: Iterable[Any]) -> list[Session]:
        sessions = []
        for item in items:
            self._take_time()
            if not isinstance(item, dict):
                self.invalid_sessions["not_an_object"] += 1
            elif not isinstance(item.get("id"), str) or not 1 <= len(item["id"]) <= MAX_ID:
                self.invalid_sessions["no_id"] += 1
            else:
                sessions.append(Session(**self._fields(item, _FIELDS, within=None)))
        return sessions

    def _fields(
        self, item: Mapping[str, Any], fields: tuple[msgspec.structs.FieldInfo, ...], within: str | None
    ) -> dict[str, Any]:
        """Read an object field by field; what is wrong inside of a profile counts under ``profiles``."""
        found: dict[str, Any] = {}
        for each in fields:
            value = item.get(each.encode_name)
            if value is None:
                continue
            name = within or each.encode_name
            if isinstance(value, float) and not math.isfinite(value):
                self.invalid_values[name, "not_finite"] += 1
            elif isinstance(value, list) and each.encode_name == "issues":
                found[each.name] = tuple(text for text in value if self._is(str, text, name))
            elif isinstance(value, list) and each.encode_name == "profiles":
                found[each.name] = self._profile_by_profile(value)
            else:
                try:
                    found[each.name] = msgspec.convert(value, each.type)
                except (msgspec.ValidationError, UnicodeEncodeError):  # a text with half a surrogate pair for a number
                    number = isinstance(value, float) and _is_amount(each)
                    self.invalid_values[name, "range" if number else "type"] += 1
        return found

    def _profile_by_profile(self, items: list[Any]) -> tuple[Profile, ...] | None:
        dicts = [item for item in items if isinstance(item, dict)]
        texts = sum(len(text) for item in dicts for text in item.values() if isinstance(text, str))
        if len(items) > MAX_PROFILES or texts > MAX_PROFILES_TEXT:
            self.invalid_values["profiles", "range"] += 1
            return None
        try:
            return msgspec.convert(items, tuple[Profile, ...])
        except (msgspec.ValidationError, UnicodeEncodeError):
            return tuple(self._profile(item) for item in items if self._is(dict, item, "profiles"))

    def _profile(self, item: Mapping[str, Any]) -> Profile:
        self._take_time()
        return Profile(**self._fields(item, _PROFILE_FIELDS, within="profiles"))

    def _take_time(self) -> None:
        self._piecemeal += 1
        if self._piecemeal > MAX_PIECEMEAL:
            raise ResponseTooLargeError(f"a page of more than {MAX_PIECEMEAL} objects that must be read value by value")

    def _is(self, wanted: type, value: Any, name: str) -> bool:
        if isinstance(value, wanted):
            return True
        self.invalid_values[name, "type"] += 1
        return False

    def checked(self, sessions: list[Session], ids: list[str]) -> list[Session]:
        """Leave out times that cannot be, and make ids printable; a page at a time where all is well."""
        seen = [session.last_seen for session in sessions if session.last_seen]
        created = [session.created_at for session in sessions if session.created_at is not None]
        text = "".join(ids)
        if self._possible(seen) and self._possible(created) and text.isascii() and text.isprintable():
            return sessions
        return [self._checked(session) for session in sessions]

    def _possible(self, times: list[float]) -> bool:
        return not times or (min(times) >= EARLIEST and max(times) <= self.latest)

    def _checked(self, session: Session) -> Session:
        changes: dict[str, Any] = {}
        if session.last_seen and not self._possible([session.last_seen]):
            self.invalid_values["lastSeen", "range"] += 1
            changes["last_seen"] = None
        if session.created_at is not None and not self._possible([session.created_at]):
            self.invalid_values["createdAt", "range"] += 1
            changes["created_at"] = None
        if (readable := clean(session.id, MAX_ID)) != session.id:
            changes["id"] = readable
            self.server_ids[readable] = session.id
        return msgspec.structs.replace(session, **changes) if changes else session


def _is_amount(info: msgspec.structs.FieldInfo) -> bool:
    return bool(info.type == (Amount | None))
