"""Ranges of session ids, for shards and for parallel pagination.

The server sorts ids by the collation of its database, which is unknown. Lower-case UUIDs, and prefixes of them, are in
the order of their code points in every collation. Any other id is in the range in which the server sorts it.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_PREFIX_DIGITS: Final = 8
_PREFIXES: Final = 16**_PREFIX_DIGITS
"""Number of values of a UUID's first eight hexadecimal digits, by which ids are divided."""


class IdRange(msgspec.Struct, frozen=True):
    """The ids with ``after < id <= until``; None is no bound. A bound is a lower-case UUID or a prefix of one."""

    after: str | None = None
    until: str | None = None

    def contains_uuid(self, uuid: str) -> bool:
        """Whether a lower-case UUID is in the range."""
        return (self.after is None or uuid > self.after) and (self.until is None or uuid <= self.until)

    def split(self, parts: int) -> list["IdRange"]:
        """Divide the range into at most `parts` disjoint ranges that cover it and have equally many UUIDs.

        Ids that are not UUIDs are distributed less evenly, but each still belongs to exactly one part.
        """
        low, high = _prefix(self.after, 0), _prefix(self.until, _PREFIXES)
        ranges = []
        after = self.after
        for part in range(1, parts):
            border = f"{low + (high - low) * part // parts:0{_PREFIX_DIGITS}x}"
            if (after is None or border > after) and (self.until is None or border < self.until):
                ranges.append(IdRange(after, border))
                after = border
        return [*ranges, IdRange(after, self.until)]

    def fraction_of_following(self) -> float:
        """Return the share of all UUIDs after the range's lower bound that are in the range, between 0 and 1.

        With a keyset cursor, the API's `X-Total-Count` counts all sessions after the cursor.
        """
        low, high = _prefix(self.after, 0), _prefix(self.until, _PREFIXES)
        return (high - low) / (_PREFIXES - low)


ALL_IDS: Final = IdRange()


def is_uuid(session_id: str) -> bool:
    """Whether an id is a lower-case UUID, whose place does not depend on the collation."""
    return _UUID.fullmatch(session_id) is not None


def uuids_in(ids: Iterable[str]) -> list[str]:
    """Return the lower-case UUIDs among ids, in the same order."""
    return list(filter(_UUID.fullmatch, ids))


def _prefix(session_id: str | None, default: int) -> int:
    if not session_id:
        return default
    try:
        return int(session_id[:_PREFIX_DIGITS].ljust(_PREFIX_DIGITS, "0"), 16)
    except ValueError:
        return default
