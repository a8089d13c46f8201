"""docs/reliability.md and the tests agree: every row has a test, and every test id has a row."""

import re
from pathlib import Path

from exporter.metrics.catalogue.outcomes import FAILURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
LAST_ROWS = {"U": 22, "P": 23, "R": 15, "S": 11, "D": 9, "V": 20}
FOUND = re.findall(r"^\| ([A-Z]\d+) \|", PAGE, re.MULTILINE)
"""The ids of the rows on the page."""
IDS = [f"{letter}{number:02}" for letter, last in LAST_ROWS.items() for number in range(1, last + 1)]
"""The ids of all rows, in the order of the page."""


def ids_in_test_names() -> set[str]:
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = [name for text in tests for name in re.findall(r"^(?:async )?def test_(\w+)", text, re.MULTILINE)]
    return {part for name in names for part in name.split("_") if re.fullmatch(rf"[{''.join(LAST_ROWS)}]\d\d", part)}


def test_the_page_has_every_row_once_and_in_order() -> None:
    assert FOUND == IDS


def test_every_row_has_a_test_with_its_id_and_no_test_has_another_id() -> None:
    assert ids_in_test_names() == set(IDS)


def test_every_row_has_a_condition_and_a_behaviour() -> None:
    rows = re.findall(r"^\| [A-Z]\d+ \|(.*)\|$", PAGE, re.MULTILINE)
    assert all(len(cells) == 2 and all(cell.strip() for cell in cells) for cells in (row.split(" | ") for row in rows))


def test_the_page_lists_every_class_of_failure_and_no_other() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(FAILURES)


def test_the_runbook_of_failed_polls_has_an_action_for_every_class() -> None:
    runbooks = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    section = re.search(r"^## LivepeerApiErrors$.*?(?=^## )", runbooks, re.MULTILINE | re.DOTALL)
    assert section
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section[0], re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(rows))) == sorted(FAILURES)
