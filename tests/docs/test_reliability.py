"""What docs/reliability.md promises has tests, and what the tests hold is promised."""

import re
from pathlib import Path

from exporter.config import describe_settings
from exporter.metrics.catalogue import EVERY_OPTION, everything
from exporter.metrics.catalogue.label_values import FAILURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
LONGEST = {"U": 22, "P": 23, "R": 15, "S": 11}
IDS = [f"{letter}{number:02}" for letter, last in LONGEST.items() for number in range(1, last + 1)]
"""Every fault of the matrix."""


def ids_of_the_tests() -> set[str]:
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = [name for text in tests for name in re.findall(r"^(?:async )?def test_(\w+)", text, re.MULTILINE)]
    return {part for name in names for part in name.split("_") if re.fullmatch(r"[UPRS]\d\d", part)}


def test_the_page_has_a_row_for_every_fault_once_and_in_order() -> None:
    assert re.findall(r"^\| ([A-Z]\d+) \|", PAGE, re.MULTILINE) == IDS


def test_every_fault_has_a_test_with_its_id_and_no_test_has_another() -> None:
    assert ids_of_the_tests() == set(IDS)


def test_every_row_says_when_and_what_then() -> None:
    rows = re.findall(r"^\| [A-Z]\d+ \|(.*)\|$", PAGE, re.MULTILINE)
    assert all(len(cells) == 2 and all(cell.strip() for cell in cells) for cells in (row.split(" | ") for row in rows))


def test_the_page_explains_every_class_of_failure_and_no_other() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(FAILURES)


def test_the_page_names_no_metric_and_no_flag_that_does_not_exist() -> None:
    metrics = {family.name for family, _ in everything(EVERY_OPTION)}
    flags = {setting.flag for setting in describe_settings()}
    assert set(re.findall(r"\blivepeer_studio_\w+", PAGE)) <= metrics
    assert set(re.findall(r"--[a-z][a-z.-]*[a-z]", PAGE)) <= flags
