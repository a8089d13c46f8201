"""A sequence of sessions made ready for being asked for in pages."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from exporter.simulator.query import FIELDS, Condition, Query, Row, number_to_order_by, stored_text

Order = tuple[tuple[str, bool], ...]

BY_ID: Order = (("id", False),)
_REMEMBERED_SELECTIONS = 16  # a poll asks a handful of questions, each in many pages


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer, how many there are in all pages, and where the next page starts."""

    rows: Sequence[Row]
    total: int
    following: int | None  # None when the page is not full


class Shelf:
    """Rows that do not change any more, with the answers to recent questions kept.

    All pages of a walk ask the same question, so filtering and sorting happen once a walk, not once a page.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._selected = lru_cache(_REMEMBERED_SELECTIONS)(self._select)
        self._by_id: dict[str, Row] | None = None

    def page(self, query: Query) -> Page:
        """The rows that a query asks for.

        Raises:
            SqlError: PostgreSQL would refuse the cursor or the order.
        """
        rows = self._selected(query.conditions, query.order)
        offset = query.offset
        if offset is None:
            rows, offset = _behind(rows, query), 0
        page = rows[offset : offset + query.limit]
        full = len(page) == query.limit
        return Page(page, len(rows), offset + query.limit if full else None)

    def find(self, session_id: str) -> Row | None:
        """The row with an id, or None."""
        if self._by_id is None:
            self._by_id = {row["id"]: row for row in self.rows if isinstance(row.get("id"), str)}
        return self._by_id.get(session_id)

    def _select(self, conditions: tuple[Condition, ...], order: Order) -> Sequence[Row]:
        rows = list(self.rows)
        # Upstream one unreadable value anywhere fails the statement, so order before filtering.
        for field, descending in reversed(order or BY_ID):
            _sort(rows, field, descending=descending)
        for condition in conditions:
            rows = list(filter(condition.test(), rows))
        return rows


def encode(row: Row) -> bytes:
    """A row as JSON. Lone surrogates are escaped, as JavaScript does it."""
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:
        return json.dumps(row, separators=(",", ":")).encode()


def encode_page(rows: Sequence[Row]) -> bytes:
    """Rows as a JSON array."""
    try:
        return msgspec.json.encode(rows)
    except UnicodeEncodeError:
        return b"[" + b",".join(map(encode, rows)) + b"]"


def _behind(rows: Sequence[Row], query: Query) -> Sequence[Row]:
    """The rows whose id is greater than the cursor, in the order of the query."""
    if (query.order or BY_ID)[0] == BY_ID[0]:
        return rows[bisect_right(rows, query.cursor, key=lambda row: stored_text(row, "id") or "\U0010ffff") :]
    return [row for row in rows if (stored_text(row, "id") or "") > query.cursor]


def _sort(rows: list[Row], field: str, *, descending: bool) -> None:
    match FIELDS[field]:
        case "flag":
            rows.sort(key=lambda row: row.get(field) is True, reverse=descending)
        case "number":
            rows.sort(key=lambda row: number_to_order_by(row, field), reverse=descending)
        case "text" | "pattern":  # what is missing comes last in both directions
            rows.sort(
                key=lambda row: (((text := stored_text(row, field)) is None) != descending, text or ""),
                reverse=descending,
            )
