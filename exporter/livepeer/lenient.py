"""Decodes pages with invalid values: these are dropped and counted, and everything else is kept."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from exporter.livepeer.body import Body
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError
from exporter.sessions.session import INVALID_TIME, MAX_ID, MAX_PROFILES, Amount, Profile, Session

MAX_LENIENT_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a page that is parsed with Python's decoder, which needs many times as much memory."""

MAX_LENIENT_OBJECTS: Final = 15_000
"""Sessions and profiles of one page that are decoded field by field. This is slow, and delays scrapes."""

MAX_PROFILES_BYTES: Final = 64 * 1024
"""Bytes of a session's profiles in JSON. Where these are not known, only the characters of the texts are counted."""

_FIRST_BYTES: Final = b'[{"-0123456789tfnNI'
"""First bytes of JSON values, including Python's NaN and Infinity. Other bodies, such as HTML, are not parsed."""

_SESSION_FIELDS: Final = msgspec.structs.fields(Session)
_PROFILE_FIELDS: Final = msgspec.structs.fields(Profile)


def parse_json(body: Body | memoryview) -> Any:
    """Parse JSON including what msgspec rejects: NaN, Infinity, numbers of any length, and lone surrogates.

    Numbers that exceed the range of a float become infinite. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        ResponseTooLargeError: the body is longer than `MAX_LENIENT_BYTES`.
        DecodeError: the body is not JSON, or nested too deeply. The cause is not chained, since it contains the body.
    """
    if bytes(body[:64]).lstrip()[:1] not in _FIRST_BYTES:
        raise DecodeError("the response is not JSON")
    if len(body) > MAX_LENIENT_BYTES:
        raise ResponseTooLargeError(f"a page with invalid values has more than {MAX_LENIENT_BYTES} bytes")
    try:
        # int() rejects numbers of more than 4,300 digits; float() accepts any length, in linear time.
        return json.loads(str(body, "utf-8", "replace"), parse_int=float, parse_constant=float)
    except (ValueError, RecursionError):
        raise DecodeError("the response is not JSON") from None


class LenientDecoder:
    """Decodes parsed JSON field by field.

    Attributes:
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
    """

    def __init__(self) -> None:
        self.invalid_values: Counter[tuple[str, str]] = Counter()
        self.invalid_sessions: Counter[str] = Counter()
        self._objects = 0

    def sessions(self, items: Iterable[Any]) -> list[Session]:
        """Decode the items of a page.

        Raises:
            ResponseTooLargeError: there are more than `MAX_LENIENT_OBJECTS` items and profiles.
        """
        sessions = []
        for item in items:
            self._count_object()
            if not isinstance(item, dict):
                self.invalid_sessions["not_an_object"] += 1
            elif not isinstance(item.get("id"), str) or not 1 <= len(item["id"]) <= MAX_ID:
                self.invalid_sessions["no_id"] += 1
            else:
                fields = self._fields(item, _SESSION_FIELDS)
                if item.get("lastSeen") is not None:
                    fields.setdefault("last_seen", INVALID_TIME)
                sessions.append(Session(**fields))
        return sessions

    def _fields(
        self, item: Mapping[str, Any], fields: tuple[msgspec.structs.FieldInfo, ...], label: str | None = None
    ) -> dict[str, Any]:
        """Return the valid fields of an object. Invalid ones are counted under `label`, by default under their name."""
        valid: dict[str, Any] = {}
        for field in fields:
            value = item.get(field.encode_name)
            if value is None:
                continue
            name = label or field.encode_name
            if isinstance(value, float) and not math.isfinite(value):
                self.invalid_values[name, "not_finite"] += 1
            elif isinstance(value, list) and field.encode_name == "issues":
                valid[field.name] = tuple(issue for issue in value if self._is(str, issue, name))
            elif isinstance(value, list) and field.encode_name == "profiles":
                valid[field.name] = self._profiles(value)
            else:
                try:
                    valid[field.name] = msgspec.convert(value, field.type)
                except (msgspec.ValidationError, UnicodeEncodeError):  # the latter for a text with a lone surrogate
                    out_of_range = isinstance(value, float) and field.type == Amount | None
                    self.invalid_values[name, "range" if out_of_range else "type"] += 1
        return valid

    def _profiles(self, items: list[Any]) -> tuple[Profile, ...] | None:
        dicts = [item for item in items if isinstance(item, dict)]
        characters = sum(len(text) for item in dicts for text in item.values() if isinstance(text, str))
        if len(items) > MAX_PROFILES or characters > MAX_PROFILES_BYTES:
            self.invalid_values["profiles", "range"] += 1
            return None
        try:
            return msgspec.convert(items, tuple[Profile, ...])
        except (msgspec.ValidationError, UnicodeEncodeError):
            return tuple(self._profile(item) for item in items if self._is(dict, item, "profiles"))

    def _profile(self, item: Mapping[str, Any]) -> Profile:
        self._count_object()
        return Profile(**self._fields(item, _PROFILE_FIELDS, label="profiles"))

    def _is(self, wanted: type, value: Any, name: str) -> bool:
        if isinstance(value, wanted):
            return True
        self.invalid_values[name, "type"] += 1
        return False

    def _count_object(self) -> None:
        self._objects += 1
        if self._objects > MAX_LENIENT_OBJECTS:
            raise ResponseTooLargeError(f"a page has more than {MAX_LENIENT_OBJECTS} objects with invalid values")
