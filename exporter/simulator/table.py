"""A sequence of sessions that can be queried page by page."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from exporter.simulator.collation import Collation, code_points
from exporter.simulator.query import FIELDS, Condition, Query, Row, number_to_order_by, stored_text

Order = tuple[tuple[str, bool], ...]

BY_ID: Order = (("id", False),)
_CACHED_SELECTIONS = 16  # a poll sends a few different queries, each for many pages


@dataclass(frozen=True, slots=True)
class Page:
    """The result of a query.

    Attributes:
        rows: the rows of the page.
        total: number of rows on all pages.
        next_offset: offset of the next page; None if this page is not full.
    """

    rows: Sequence[Row]
    total: int
    next_offset: int | None


class Table:
    """An immutable sequence of rows; the results of recent queries are cached.

    All pages of one pagination have the same filters and order, so filtering and sorting are done once for all of them.

    Args:
        rows: the rows in any order.
        collation: the order of texts.
    """

    def __init__(self, rows: Sequence[Row], collation: Collation = code_points) -> None:
        self.rows = rows
        self._collation = collation
        self._selected = lru_cache(_CACHED_SELECTIONS)(self._select)
        self._by_id: dict[str, Row] | None = None

    def page(self, query: Query) -> Page:
        """Return the page that a query requests.

        Raises:
            SqlError: PostgreSQL would reject the cursor or the order.
        """
        rows = self._selected(query.conditions, query.order)
        offset = query.offset
        if offset is None:
            rows, offset = self._after_cursor(rows, query), 0
        page = rows[offset : offset + query.limit]
        is_full = len(page) == query.limit
        return Page(page, len(rows), offset + query.limit if is_full else None)

    def find(self, session_id: str) -> Row | None:
        """Return the row with an id, or None."""
        if self._by_id is None:
            self._by_id = {row["id"]: row for row in self.rows if isinstance(row.get("id"), str)}
        return self._by_id.get(session_id)

    def _select(self, conditions: tuple[Condition, ...], order: Order) -> Sequence[Row]:
        rows = list(self.rows)
        for condition in conditions:
            rows = list(filter(condition.test(), rows))
        for field, descending in reversed(order or BY_ID):
            _sort(rows, field, self._collation, descending=descending)
        return rows

    def _after_cursor(self, rows: Sequence[Row], query: Query) -> Sequence[Row]:
        """The rows whose id is greater than the cursor, in the order of the query."""
        after = self._collation(query.cursor)

        def is_after(row: Row, *, missing: bool = False) -> bool:
            session_id = stored_text(row, "id")
            return missing if session_id is None else self._collation(session_id) > after

        if (query.order or BY_ID)[0] == BY_ID[0]:
            return rows[bisect_left(rows, True, key=lambda row: is_after(row, missing=True)) :]
        return [row for row in rows if is_after(row)]


def encode(row: Row) -> bytes:
    """Encode a row as JSON; lone surrogates are escaped, as JavaScript does."""
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:
        return json.dumps(row, separators=(",", ":")).encode()


def encode_page(rows: Sequence[Row]) -> bytes:
    """Encode rows as a JSON array."""
    try:
        return msgspec.json.encode(rows)
    except UnicodeEncodeError:
        return b"[" + b",".join(map(encode, rows)) + b"]"


def _sort(rows: list[Row], field: str, collation: Collation, *, descending: bool) -> None:
    match FIELDS[field]:
        case "boolean":
            rows.sort(key=lambda row: row.get(field) is True, reverse=descending)
        case "number":
            rows.sort(key=lambda row: number_to_order_by(row, field), reverse=descending)
        case "text" | "pattern":  # missing values are last in both directions
            rows.sort(
                key=lambda row: (((text := stored_text(row, field)) is None) != descending, collation(text or "")),
                reverse=descending,
            )
