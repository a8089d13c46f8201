"""Ranges of session ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.id_range import ALL_IDS, IdRange

IDS = st.text("0123456789abcdef-", min_size=1, max_size=12)
BOUNDS = st.none() | IDS


@pytest.mark.parametrize(
    ("id_range", "included", "excluded"),
    [
        (ALL_IDS, ["0", "ffff", "z"], []),
        (IdRange(after="4"), ["40", "5"], ["3", "4"]),
        (IdRange(until="8"), ["0", "8"], ["80", "9"]),
        (IdRange("4", "8"), ["40", "8"], ["4", "80"]),
    ],
)
def test_a_range_excludes_its_lower_bound_and_includes_its_upper_bound(
    id_range: IdRange, included: list[str], excluded: list[str]
) -> None:
    assert all(session_id in id_range for session_id in included)
    assert not any(session_id in id_range for session_id in excluded)


@given(st.lists(IDS, max_size=30), BOUNDS, BOUNDS, st.integers(1, 8))
def test_each_id_of_a_range_belongs_to_exactly_one_of_its_parts(
    ids: list[str], after: str | None, until: str | None, parts: int
) -> None:
    whole = IdRange(after, until)
    pieces = whole.split(parts)
    assert 1 <= len(pieces) <= parts
    for session_id in ids:
        assert sum(session_id in piece for piece in pieces) == (session_id in whole)


def test_the_parts_of_all_ids_have_the_same_width() -> None:
    borders = [part.until for part in ALL_IDS.split(4)]
    assert borders == ["40000000", "80000000", "c0000000", None]


@pytest.mark.parametrize(
    ("id_range", "fraction"),
    [
        (ALL_IDS, 1),
        (IdRange(until="80000000"), 1 / 2),
        (IdRange("40000000", "80000000"), 1 / 3),
        (IdRange("80000000"), 1),
        (IdRange("no hexadecimal number"), 1),
    ],
)
def test_the_fraction_of_the_following_ids_in_a_range(id_range: IdRange, fraction: float) -> None:
    assert id_range.fraction_of_following() == pytest.approx(fraction)
