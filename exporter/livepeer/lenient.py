"""Decodes sessions with invalid values: these are dropped and counted, and everything else is kept."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from exporter.livepeer.errors import DecodeError, ResponseTooLargeError
from exporter.sessions.session import INVALID_TIME, MAX_ID, MAX_ISSUES, MAX_PROFILES, Amount, Profile, Session

MAX_INVALID_OBJECTS: Final = 15_000
MAX_INVALID_VALUES: Final = 50_000
"""Sessions and profiles of one page that are decoded field by field, and invalid values in them. Beyond these, the page
is an error: decoding it is slow."""

MAX_PARSED_BYTES: Final = 64 * 1024
"""Bytes of an item, or of one of its values, that are parsed with Python's decoder; this takes a few milliseconds."""

MAX_PROFILES_BYTES: Final = 64 * 1024
"""Bytes of a session's profiles in JSON. Where these are not known, only the characters of the texts are counted."""

_SESSION_FIELDS: Final = msgspec.structs.fields(Session)
_PROFILE_FIELDS: Final = msgspec.structs.fields(Profile)

_Values: Final = msgspec.defstruct(
    "_Values", [(each.name, msgspec.Raw, msgspec.Raw(b"null")) for each in _SESSION_FIELDS], rename="camel"
)
"""The values of a session as JSON; unknown fields are skipped."""

_values_decoder: Final = msgspec.json.Decoder(_Values)
_long_value_decoders: Final = {
    each.name: msgspec.json.Decoder(each.type)
    for each in _SESSION_FIELDS
    if each.type == str | None or each.name == "issues"
}
"""For values that may be long. A number with millions of digits would be parsed slowly."""

_TOO_LONG: Final = object()
"""Replaces a value that is too long to be parsed."""


def parse_json(text: bytes | memoryview) -> Any:
    """Parse a value that msgspec accepts as JSON.

    Numbers that exceed the range of a float become infinite. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        DecodeError: the value is nested too deeply. The cause is not chained, since it contains the value.
    """
    try:
        # int() rejects numbers of more than 4,300 digits; float() accepts any length, in linear time.
        return json.loads(str(text, "utf-8", "replace"), parse_int=float, parse_constant=float)
    except (ValueError, RecursionError):
        raise DecodeError("the response is not JSON") from None


class LenientDecoder:
    """Decodes sessions field by field.

    Attributes:
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
        objects: number of sessions and profiles so far.
    """

    def __init__(self) -> None:
        self.invalid_values: Counter[tuple[str, str]] = Counter()
        self.invalid_sessions: Counter[str] = Counter()
        self.objects = 0
        self._invalid = 0

    def session(self, text: msgspec.Raw) -> Session | None:
        """Decode an item of a page; None if it is not a valid session.

        Raises:
            ResponseTooLargeError: the page has too many invalid values, or too many objects that are decoded here.
            DecodeError: a value is nested too deeply.
        """
        self._count_object()
        item = parse_json(memoryview(text)) if memoryview(text).nbytes <= MAX_PARSED_BYTES else _parse_long_item(text)
        if not isinstance(item, dict):
            self.invalid_sessions["not_an_object"] += 1
            return None
        if not isinstance(item.get("id"), str) or not 1 <= len(item["id"]) <= MAX_ID:
            self.invalid_sessions["no_id"] += 1
            return None
        fields = self._fields(item, _SESSION_FIELDS)
        if item.get("lastSeen") is not None:
            fields.setdefault("last_seen", INVALID_TIME)
        return Session(**fields)

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
                self.count_invalid(name, "not_finite")
            elif value is _TOO_LONG or (isinstance(value, list) and name == "issues" and len(value) > MAX_ISSUES):
                self.count_invalid(name, "range")
            elif isinstance(value, list) and field.encode_name == "issues":
                valid[field.name] = tuple(issue for issue in value if self._is(str, issue, name))
            elif isinstance(value, list) and field.encode_name == "profiles":
                valid[field.name] = self._profiles(value)
            else:
                try:
                    valid[field.name] = msgspec.convert(value, field.type)
                except msgspec.ValidationError:
                    out_of_range = isinstance(value, float) and field.type == Amount | None
                    self.count_invalid(name, "range" if out_of_range else "type")
        return valid

    def _profiles(self, items: list[Any]) -> tuple[Profile, ...] | None:
        dicts = [item for item in items if isinstance(item, dict)]
        characters = sum(len(text) for item in dicts for text in item.values() if isinstance(text, str))
        if len(items) > MAX_PROFILES or characters > MAX_PROFILES_BYTES:
            self.count_invalid("profiles", "range")
            return None
        try:
            return msgspec.convert(items, tuple[Profile, ...])
        except msgspec.ValidationError:
            return tuple(self._profile(item) for item in items if self._is(dict, item, "profiles"))

    def _profile(self, item: Mapping[str, Any]) -> Profile:
        self._count_object()
        return Profile(**self._fields(item, _PROFILE_FIELDS, label="profiles"))

    def _is(self, wanted: type, value: Any, name: str) -> bool:
        if isinstance(value, wanted):
            return True
        self.count_invalid(name, "type")
        return False

    def count_invalid(self, name: str, fault: str) -> None:
        """Count a dropped value.

        Raises:
            ResponseTooLargeError: there are more than `MAX_INVALID_VALUES`.
        """
        self.invalid_values[name, fault] += 1
        self._invalid += 1
        if self._invalid > MAX_INVALID_VALUES:
            raise ResponseTooLargeError(f"a page has more than {MAX_INVALID_VALUES} invalid values")

    def _count_object(self) -> None:
        self.objects += 1
        if self.objects > MAX_INVALID_OBJECTS:
            raise ResponseTooLargeError(f"a page has more than {MAX_INVALID_OBJECTS} objects with invalid values")


def _parse_long_item(text: msgspec.Raw) -> Any:
    """Parse the fields of a session that are read, each with msgspec if it is long, and skip the others."""
    try:
        values = _values_decoder.decode(text)
    except msgspec.ValidationError:
        return None
    return {each.encode_name: _parse_value(each.name, getattr(values, each.name)) for each in _SESSION_FIELDS}


def _parse_value(name: str, text: msgspec.Raw) -> Any:
    if memoryview(text).nbytes <= MAX_PARSED_BYTES:
        return parse_json(memoryview(text))
    if name not in _long_value_decoders:
        return _TOO_LONG
    try:
        value = _long_value_decoders[name].decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _TOO_LONG
    return list(value) if isinstance(value, tuple) else value
