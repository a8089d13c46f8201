"""The table that `check` prints."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TextIO

import msgspec

MAX_SUBJECT_WIDTH: Final = 40
"""Characters of the first column; a longer subject shifts its row only."""

_HEADER: Final = ("CHECK", "STATUS", "RESULT")


class Row(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        subject: what was checked; indented below its account.
        status: ``failed`` is the only one that changes the exit code.
        result: one line of text.
    """

    subject: str
    status: Literal["ok", "warning", "failed"]
    result: str


def ok_unless(warning: bool, /) -> Literal["ok", "warning"]:
    """Return the status of a check that can only warn."""
    return "warning" if warning else "ok"


def print_table(rows: Sequence[Row], out: TextIO) -> None:
    """Print the rows below a header, and a summary after them."""
    width = min(MAX_SUBJECT_WIDTH, max(len(each.subject) for each in rows))
    for subject, status, result in (_HEADER, *((each.subject, each.status, each.result) for each in rows)):
        print(f"{subject:<{width}}  {status:<7}  {result}", file=out)
    print(f"\n{_summary(rows)}", file=out)


def has_failed(rows: Iterable[Row]) -> bool:
    """Return whether any check has failed."""
    return any(each.status == "failed" for each in rows)


def _summary(rows: Sequence[Row]) -> str:
    failed, warnings = (sum(each.status == status for each in rows) for status in ("failed", "warning"))
    counts = [f"{failed} failed"] if failed else []
    if warnings:
        counts.append("1 warning" if warnings == 1 else f"{warnings} warnings")
    return ", ".join(counts) or "no failures, no warnings"
