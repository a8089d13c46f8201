"""The query parameters of `GET /session`, parsed as Livepeer Studio parses them, including its peculiarities.

The rules were observed on the real server or follow from its published source. Values are compared as PostgreSQL
compares jsonb, because the real server passes the query on to PostgreSQL.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from msgspec import Raw

Row = dict[str, Any]
"""One session as the API lists it: camelCase keys, with `parentStream`.

A value may be a `msgspec.Raw`, which is sent as it is, valid JSON or not.
"""

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000
DEFAULT_ORDER = "lastSeen-true,createdAt-true"

FieldType = Literal["text", "pattern", "number", "boolean"]

FIELDS: Mapping[str, FieldType] = {
    "id": "text",
    "name": "pattern",
    "lastSeen": "number",
    "createdAt": "number",
    "userId": "text",
    "parentId": "text",
    "projectId": "text",
    "record": "boolean",
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
"""The fields for filters, where others are rejected, and for the order, where others are ignored."""

Comparison = Literal["=", ">", ">=", "<", "<="]
_COMPARISONS: Mapping[str, Comparison] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class APIError(Exception):
    """An error response: its HTTP status, and the text in `errors`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.status = status
        self.text = text


class BadFilterError(APIError):
    """The `filters` parameter is invalid."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"error parsing filters: {reason}")


class SqlError(APIError):
    """PostgreSQL would reject the statement."""

    def __init__(self) -> None:
        super().__init__(500, "Internal server error: error")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a field.

    Attributes:
        field: a key of `FIELDS`.
        comparison: operator between the field and the value.
        value: a scalar as JSON text, so that conditions are usable as cache keys in which `1` and `true` differ.
    """

    field: str
    comparison: Comparison
    value: str

    def test(self) -> Callable[[Row], bool]:
        """Return a function that tests a row."""
        want = json.loads(self.value)
        if want is None:  # in SQL, no comparison with NULL is true
            return lambda _row: False
        match FIELDS[self.field]:
            case "boolean":
                return lambda row: (row.get("record") is True) is want
            case "pattern":
                return _ilike(str(want), self.field)
            case "text":
                return lambda row: stored_text(row, self.field) == want
            case "number":
                return _number_test(self.field, self.comparison, want)


@dataclass(frozen=True, slots=True)
class Query:
    """The query for one page.

    Attributes:
        limit: maximum number of rows.
        cursor: `skip` and an offset, or the id before the first row.
        order: pairs of field and descending.
        conditions: all of them must be true.
        count: whether the total number of rows is requested.
    """

    limit: int
    cursor: str
    order: tuple[tuple[str, bool], ...]
    conditions: tuple[Condition, ...]
    count: bool

    @property
    def offset(self) -> int | None:
        """Number of rows to skip; None if the cursor is an id.

        Raises:
            SqlError: the cursor contains `skip` but no number.
        """
        if not self.cursor:
            return 0
        if "skip" not in self.cursor:
            return None
        digits = self.cursor.replace("skip", "", 1)
        if not re.fullmatch(r"[0-9]{1,18}", digits):
            raise SqlError
        return int(digits)


def parse_query(parameters: Mapping[str, str]) -> Query:
    """Parse the parameters of the query string.

    Raises:
        BadFilterError: the filters are invalid.
        SqlError: a filter has a value that PostgreSQL cannot parse.
    """
    conditions = parse_filters(parameters.get("filters", ""))
    if parent := parameters.get("parentId"):
        conditions = (*conditions, Condition("parentId", "=", json.dumps(parent)))
    return Query(
        limit=parse_limit(parameters.get("limit", "")),
        cursor=parameters.get("cursor", ""),
        order=parse_order(parameters.get("order") or DEFAULT_ORDER),
        conditions=conditions,
        count=bool(parameters.get("count")),
    )


def parse_limit(text: str) -> int:
    """Return the page size, 1 to 1000, of leading digits as in JavaScript's `parseInt`; 20 for other texts."""
    leading = re.match(r"\s*\+?([0-9]{1,18})", text)
    return min(int(leading[1]), MAX_LIMIT) or DEFAULT_LIMIT if leading else DEFAULT_LIMIT


def parse_order(text: str) -> tuple[tuple[str, bool], ...]:
    """Return pairs of field and descending; unknown fields are ignored."""
    terms = (term.split("-") for term in text.split(","))
    return tuple((term[0], term[1] == "true") for term in terms if len(term) == 2 and term[0] in FIELDS)


def parse_filters(text: str) -> tuple[Condition, ...]:
    """Return the conditions of a `filters` parameter; an empty one has none.

    Raises:
        BadFilterError: not JSON, not an array, an unknown field or comparison, a missing value.
        SqlError: a numeric field is compared with a text that is not JSON.
    """
    if not text:
        return ()
    try:  # the real server percent-decodes the parameter a second time
        filters = json.loads(unquote(text, errors="strict"), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise BadFilterError("SyntaxError: not valid JSON") from error
    if not isinstance(filters, list):
        raise BadFilterError("Error: must be an array")
    return tuple(condition for item in filters for condition in _conditions(item))


def _reject_constant(name: str) -> None:
    raise ValueError(name)  # Python parses NaN and Infinity, JavaScript does not


def _conditions(item: object) -> tuple[Condition, ...]:
    if not isinstance(item, dict):
        raise BadFilterError("TypeError: not an object")
    field = item.get("id")
    if "value" not in item:
        raise BadFilterError(f'Error: missing filter value for id "{field}"')
    if not isinstance(field, str) or field not in FIELDS:
        raise BadFilterError(f'Error: unknown field: "{field}"')
    value, field_type = item["value"], FIELDS[field]
    if field_type == "boolean" and not isinstance(value, bool):
        raise BadFilterError(f'Error: expected boolean value for field "{field}"')
    if field_type != "number":  # a text field is only equal to a text
        return (Condition(field, "=", json.dumps(value if isinstance(value, str | bool) else None)),)
    if not isinstance(value, dict):
        return (Condition(field, "=", _jsonb(value)),)
    for key in value:
        if key not in _COMPARISONS:  # including `eq`, which the real server does not handle
            raise BadFilterError(f'Error: unknown comparison: "{key}"')
    return tuple(Condition(field, _COMPARISONS[key], _jsonb(want)) for key, want in value.items())


def _jsonb(value: object) -> str:
    """The value of a filter as PostgreSQL receives it, as JSON text; a text is parsed as JSON itself."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_reject_constant)
        except (ValueError, RecursionError) as error:
            raise SqlError from error
    if isinstance(value, list | dict):  # the real server does not send arrays as JSON; no client sends objects
        raise SqlError
    return json.dumps(value)


def stored_text(row: Row, field: str) -> str | None:
    """Return a text field as it is stored in the database; None if it is missing or not a text."""
    if field == "recordingStatus":  # computed for the response; the stored value is that of the session's creation
        return "waiting" if row.get("record") is True else None
    value = row.get(field)
    return value if isinstance(value, str) else None


def number_to_order_by(row: Row, field: str) -> float:
    """Return a numeric field as `ORDER BY` compares it; a missing one is 0.

    Raises:
        SqlError: it is null or not a number, so PostgreSQL cannot cast it and the statement fails.
    """
    value = row.get(field, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SqlError
    return value


def _number_test(field: str, comparison: Comparison, want: object) -> Callable[[Row], bool]:
    bound = _jsonb_rank(want)

    def rank(row: Row) -> tuple[int, Any] | None:
        # A missing field is NULL in SQL, which no condition matches. Raw values are for tests of decoding.
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
    """A sort key with the order of jsonb in PostgreSQL: null, text, number, boolean, array, object."""
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


def _ilike(want: str, field: str) -> Callable[[Row], bool]:
    """A test for `ILIKE '%want%'` in SQL, in which `%` and `_` remain wildcards."""
    pieces = {"%": ".*", "_": "."}
    pattern = re.compile("".join(pieces.get(c) or re.escape(c) for c in want), re.IGNORECASE | re.DOTALL)
    return lambda row: isinstance(name := row.get(field), str) and pattern.search(name) is not None
