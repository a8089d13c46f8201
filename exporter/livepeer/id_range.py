"""Ranges of session ids, for shards and for parallel pagination."""

from dataclasses import dataclass
from typing import Final

_PREFIX_DIGITS: Final = 8
_PREFIXES: Final = 16**_PREFIX_DIGITS
"""Number of values of a UUID's first eight hexadecimal digits, by which ids are divided."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids with ``after < id <= until``; None is no bound."""

    after: str | None = None
    until: str | None = None

    def __contains__(self, session_id: str) -> bool:
        return (self.after is None or session_id > self.after) and (self.until is None or session_id <= self.until)

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


def _prefix(session_id: str | None, default: int) -> int:
    if not session_id:
        return default
    try:
        return int(session_id[:_PREFIX_DIGITS].ljust(_PREFIX_DIGITS, "0"), 16)
    except ValueError:
        return default
