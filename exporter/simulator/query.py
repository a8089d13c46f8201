"""What a request to `GET /session` asks for, read the way Livepeer Studio reads it, oddities included.

The rules were observed on the real server or follow from its published source. Fields are compared as
PostgreSQL compares jsonb values, because the real server hands the question to PostgreSQL unchanged.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from msgspec import Raw

Row = dict[str, Any]
"""One session as the list shows it: camelCase keys, `parentStream` included.

A value may be a `msgspec.Raw`, which puts any text on the wire, valid or not.
"""

DEFAULT_LIMIT = 20
GREATEST_LIMIT = 1000
DEFAULT_ORDER = "lastSeen-true,createdAt-true"

Kind = Literal["text", "pattern", "number", "flag"]

FIELDS: Mapping[str, Kind] = {
    "id": "text",
    "name": "pattern",
    "lastSeen": "number",
    "createdAt": "number",
    "userId": "text",
    "parentId": "text",
    "projectId": "text",
    "record": "flag",
    "sourceSegments": "number",
    "transcodedSegments": "number",
    "sourceSegmentsDuration": "number",
    "transcodedSegmentsDuration": "number",
    "sourceBytes": "number",
    "transcodedBytes": "number",
    "ingestRate": "number",
    "outgoingRate": "number",
    "recordingStatus": "text",
}
"""The fields that can be filtered and ordered by; every other one is refused or dropped."""

Comparison = Literal["=", ">", ">=", "<", "<="]
_COMPARISONS: Mapping[str, Comparison] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class FailureError(Exception):
    """The request fails with an HTTP status and one text in `errors`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.status = status
        self.text = text


class BadFilterError(FailureError):
    """The `filters` parameter cannot be understood."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"error parsing filters: {reason}")


class SqlError(FailureError):
    """PostgreSQL would refuse the statement."""

    def __init__(self) -> None:
        super().__init__(500, "Internal server error: error")


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a row must fulfil.

    `value` is a scalar as JSON text, so that conditions are cache keys that tell `1` from `true`.
    """

    field: str
    comparison: Comparison
    value: str

    def test(self) -> Callable[[Row], bool]:
        """A function that tells whether a row fulfils the condition."""
        want = json.loads(self.value)
        if want is None:  # compared with NULL, nothing is true in SQL
            return lambda _row: False
        match FIELDS[self.field]:
            case "flag":
                return lambda row: (row.get("record") is True) is want
            case "pattern":
                return _likeness(str(want), self.field)
            case "text":
                return lambda row: stored_text(row, self.field) == want
            case "number":
                return _number_test(self.field, self.comparison, want)


@dataclass(frozen=True, slots=True)
class Query:
    """One page's question: how many rows, from where, in which order, fulfilling what."""

    limit: int
    cursor: str
    order: tuple[tuple[str, bool], ...]  # (field, descending)
    conditions: tuple[Condition, ...]
    count: bool

    @property
    def offset(self) -> int | None:
        """Rows to skip; None when the cursor is the id after which to go on.

        Raises:
            SqlError: the cursor has the word skip but no number.
        """
        if not self.cursor:
            return 0
        if "skip" not in self.cursor:
            return None
        digits = self.cursor.replace("skip", "", 1)
        if not re.fullmatch(r"[0-9]{1,18}", digits):
            raise SqlError
        return int(digits)


def read_query(parameters: Mapping[str, str]) -> Query:
    """Read the query string's parameters.

    Raises:
        BadFilterError: the filters are not what the server takes.
        SqlError: a filter compares with something that PostgreSQL cannot read.
    """
    conditions = read_filters(parameters.get("filters", ""))
    if parent := parameters.get("parentId"):
        conditions = (*conditions, Condition("parentId", "=", json.dumps(parent)))
    return Query(
        limit=read_limit(parameters.get("limit", "")),
        cursor=parameters.get("cursor", ""),
        order=read_order(parameters.get("order") or DEFAULT_ORDER),
        conditions=conditions,
        count=bool(parameters.get("count")),
    )


def read_limit(text: str) -> int:
    """The page size, 1 to 1000; nonsense is 20. Leading digits count, as in JavaScript's `parseInt`."""
    leading = re.match(r"\s*\+?([0-9]{1,18})", text)
    return min(int(leading[1]), GREATEST_LIMIT) or DEFAULT_LIMIT if leading else DEFAULT_LIMIT


def read_order(text: str) -> tuple[tuple[str, bool], ...]:
    """Pairs of field and descending; unknown fields are dropped without a word."""
    terms = (term.split("-") for term in text.split(","))
    return tuple((term[0], term[1] == "true") for term in terms if len(term) == 2 and term[0] in FIELDS)


def read_filters(text: str) -> tuple[Condition, ...]:
    """The conditions of a `filters` parameter; none for an empty one.

    Raises:
        BadFilterError: not JSON, not an array, an unknown field or comparison, a missing value.
        SqlError: a number field compared with a text that is no JSON.
    """
    if not text:
        return ()
    try:  # the real server decodes the parameter once more than HTTP does
        filters = json.loads(unquote(text, errors="strict"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadFilterError("SyntaxError: not valid JSON") from error
    if not isinstance(filters, list):
        raise BadFilterError("Error: must be an array")
    return tuple(condition for item in filters for condition in _conditions(item))


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # Python reads NaN and Infinity, JavaScript does not


def _conditions(item: object) -> tuple[Condition, ...]:
    if not isinstance(item, dict):
        raise BadFilterError("TypeError: not an object")
    field = item.get("id")
    if "value" not in item:
        raise BadFilterError(f'Error: missing filter value for id "{field}"')
    if not isinstance(field, str) or field not in FIELDS:
        raise BadFilterError(f'Error: unknown field: "{field}"')
    value, kind = item["value"], FIELDS[field]
    if kind == "flag" and not isinstance(value, bool):
        raise BadFilterError(f'Error: expected boolean value for field "{field}"')
    if kind != "number":  # a text field equals nothing but a text
        return (Condition(field, "=", json.dumps(value if isinstance(value, str | bool) else None)),)
    if not isinstance(value, dict):
        return (Condition(field, "=", _jsonb(value)),)
    for key in value:
        if key not in _COMPARISONS:  # `eq` too: upstream falls through to the error
            raise BadFilterError(f'Error: unknown comparison: "{key}"')
    return tuple(Condition(field, _COMPARISONS[key], _jsonb(want)) for key, want in value.items())


def _jsonb(value: object) -> str:
    """The JSON text that PostgreSQL would see for a filter's value: a text is taken for JSON itself."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise SqlError from error
    if isinstance(value, list | dict):  # an array arrives as no JSON at all; nobody asks for an object
        raise SqlError
    return json.dumps(value)


def stored_text(row: Row, field: str) -> str | None:
    """A text field as the database holds it; None when it is missing or no text."""
    if field == "recordingStatus":  # computed on read; what is stored is from the session's beginning
        return "waiting" if row.get("record") is True else None
    value = row.get(field)
    return value if isinstance(value, str) else None


def number_to_order_by(row: Row, field: str) -> float:
    """A number field as `ORDER BY` sees it: missing is 0.

    Raises:
        SqlError: null, or no number: PostgreSQL cannot cast it, and the whole statement fails.
    """
    value = row.get(field, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SqlError
    return value


def _number_test(field: str, comparison: Comparison, want: object) -> Callable[[Row], bool]:
    bound = _jsonb_rank(want)

    def rank(row: Row) -> tuple[int, Any] | None:
        # A missing field is SQL's NULL, which fulfils nothing. Raw text is to break readers, not filters.
        value = row.get(field, Raw)
        return None if value is Raw or isinstance(value, Raw) else _jsonb_rank(value)

    match comparison:
        case "=":
            return lambda row: (got := rank(row)) is not None and got == bound
        case ">":
            return lambda row: (got := rank(row)) is not None and got > bound
        case ">=":
            return lambda row: (got := rank(row)) is not None and got >= bound
        case "<":
            return lambda row: (got := rank(row)) is not None and got < bound
        case "<=":
            return lambda row: (got := rank(row)) is not None and got <= bound


def _jsonb_rank(value: object) -> tuple[int, Any]:
    """A key that sorts as PostgreSQL sorts jsonb: null, text, number, bool, array, object."""
    match value:
        case None:
            return 0, 0
        case str():
            return 1, value
        case bool():
            return 3, value
        case int() | float():
            return 2, value
        case list():
            return 4, len(value)
        case _:
            return 5, 0


def _likeness(want: str, field: str) -> Callable[[Row], bool]:
    """A test for SQL's `ILIKE '%want%'`, in which `%` and `_` of the asker stay wildcards."""
    pieces = {"%": ".*", "_": "."}
    pattern = re.compile("".join(pieces.get(c) or re.escape(c) for c in want), re.IGNORECASE | re.DOTALL)
    return lambda row: isinstance(name := row.get(field), str) and pattern.search(name) is not None
