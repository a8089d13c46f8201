"""The order of texts is that of ICU's `en-US`, as seen in a browser's `Intl.Collator` with ICU 78.2."""

from random import Random

import pytest

from exporter.simulator.collation import code_points, icu_en_us
from exporter.simulator.streams import random_uuid


@pytest.mark.parametrize(
    "expected",
    [
        " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ",
        ["10", "9", "a_1", "a-b", "a1", "aa", "ab", "aB", "Ab", "AB", "ab1", "b", "B", "e", "f", "z", "Ω", "日"],
        ["", "a", "A", "a0", "A0", "a0b"],
    ],
)
def test_texts_are_in_the_order_of_icu(expected: list[str]) -> None:
    assert sorted(sorted(expected), key=icu_en_us) == list(expected)


def test_different_texts_are_never_equal() -> None:
    assert icu_en_us("é") != icu_en_us("e")
    assert len({str(icu_en_us(text)) for text in ("a-b", "A-b", "a-B", "ab")}) == 4


def test_lower_case_uuids_are_in_the_same_order_in_all_collations() -> None:
    random = Random(1)
    ids = [random_uuid(random) for _ in range(1000)]
    assert sorted(ids, key=icu_en_us) == sorted(ids, key=code_points)
