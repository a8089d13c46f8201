"""Ranges of session ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.id_range import ALL_IDS, IdRange, is_uuid, uuids_in
from tests.support.rows import ident

UUIDS = st.uuids().map(str)
BOUNDS = st.none() | UUIDS | st.integers(0, 16**8 - 1).map("{:08x}".format)


@pytest.mark.parametrize(
    ("id_range", "included", "excluded"),
    [
        (ALL_IDS, [0, 0xFFFFFFFF], []),
        (IdRange(after="40000000"), [0x40000000, 0x50000000], [0x3FFFFFFF]),
        (IdRange(until="80000000"), [0, 0x7FFFFFFF], [0x80000000]),
        (IdRange(ident(4), ident(8)), [5, 8], [4, 9]),
    ],
)
def test_a_range_excludes_its_lower_bound_and_includes_its_upper_bound(
    id_range: IdRange, included: list[int], excluded: list[int]
) -> None:
    assert all(id_range.contains_uuid(ident(number)) for number in included)
    assert not any(id_range.contains_uuid(ident(number)) for number in excluded)


@given(st.lists(UUIDS, max_size=30), BOUNDS, BOUNDS, st.integers(1, 8))
def test_each_uuid_of_a_range_belongs_to_exactly_one_of_its_parts(
    uuids: list[str], after: str | None, until: str | None, parts: int
) -> None:
    whole = IdRange(after, until)
    pieces = whole.split(parts)
    assert 1 <= len(pieces) <= parts
    for uuid in uuids:
        assert sum(piece.contains_uuid(uuid) for piece in pieces) == whole.contains_uuid(uuid)


@pytest.mark.parametrize(
    ("session_id", "expected"),
    [
        (ident(1), True),
        (ident(0xABCDEF).upper(), False),
        (ident(1).replace("-", ""), False),
        (f"{ident(1)}\n", False),
        (f"0{ident(1)}", False),
        ("", False),
    ],
)
def test_only_lower_case_uuids_have_the_same_place_in_every_collation(session_id: str, expected: bool) -> None:
    assert is_uuid(session_id) is expected
    assert uuids_in([session_id, ident(2)]) == [session_id] * expected + [ident(2)]


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
