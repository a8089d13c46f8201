"""The growth of cumulative values that may fall."""

import pytest

from exporter.sessions.growth import Entry, Growth

CREATED = 1.0


def grown(*values: float | None, start: float | None = 0.0) -> tuple[list[float], list[int]]:
    """Return the growth and the regressions that each value of a session adds."""
    entry, amounts, regressions = Entry(created_at=CREATED, source_bytes=start), [], []
    for value in values:
        growth = Growth()
        (entry,), _ = growth.add([entry], [Entry(created_at=CREATED, source_bytes=value)])
        amounts.append(growth.amounts["source_bytes"])
        regressions.append(growth.regressions["source_bytes"])
    return amounts, regressions


@pytest.mark.parametrize(
    ("values", "amounts"),
    [
        ([100, 130], [100, 30]),
        ([100, None, 130], [100, 0, 30]),
        ([1000, 900, 1000, 900, 1000], [1000, 0, 0, 0, 0]),
        ([1000, 900, 1100], [1000, 0, 100]),
        ([100, 40, 50, 60, 70], [100, 0, 0, 20, 10]),
        ([100, 40, 90, 60, 70, 95], [100, 0, 0, 50, 0, 5]),
        ([100, 40, None, 50, 60], [100, 0, 0, 0, 20]),
        ([100, 40, 40, 40, 30, 30, 30, 31], [100, 0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_D04_growth_counts_beyond_the_highest_value_until_three_lower_ones(
    values: list[float | None], amounts: list[float]
) -> None:
    assert grown(*values)[0] == amounts


def test_D04_every_value_below_the_one_before_is_a_regression() -> None:
    assert grown(100, 40, 30, 90, 80, 100)[1] == [0, 1, 1, 0, 1, 0]


def test_a_lower_value_that_stays_the_same_is_one_regression() -> None:
    assert grown(100, 40, 40)[1] == [0, 1, 0]


def test_the_regressions_of_two_sessions_add_up() -> None:
    growth = Growth()
    growth.add([Entry(source_bytes=100.0)] * 2, [Entry(source_bytes=50.0)] * 2)
    assert growth.regressions["source_bytes"] == 2


def test_a_value_that_is_first_known_while_another_one_falls_is_a_baseline() -> None:
    growth = Growth()
    (entry,), _ = growth.add(
        [Entry(source_bytes=100.0, source_segments=None)], [Entry(source_bytes=50.0, source_segments=7.0)]
    )
    assert (entry.source_segments, growth.amounts["source_segments"]) == (7, 0)


def test_an_unknown_value_of_one_session_does_not_hide_the_growth_of_another() -> None:
    growth = Growth()
    entries, changes = growth.add(
        [Entry(source_bytes=100.0), Entry(source_bytes=100.0)], [Entry(source_bytes=None), Entry(source_bytes=130.0)]
    )
    assert [entry.source_bytes for entry in entries] == [100, 130]
    assert list(changes["source_bytes"]) == [0, 30]
    assert growth.amounts["source_bytes"] == 30


def test_a_value_that_was_never_known_is_a_baseline() -> None:
    assert grown(100, 130, start=None)[0] == [0, 30]


def test_a_fall_of_one_session_does_not_affect_another() -> None:
    growth = Growth()
    known = [Entry(source_bytes=100.0), Entry(source_bytes=100.0)]
    growth.add(known, [Entry(source_bytes=50.0), Entry(source_bytes=110.0)])
    assert (growth.amounts["source_bytes"], growth.regressions["source_bytes"]) == (10, 1)


def test_a_fall_of_one_field_does_not_hide_the_growth_of_another() -> None:
    growth = Growth()
    growth.add([Entry(source_bytes=100.0)], [Entry(source_bytes=50.0, source_segments=7.0)])
    assert (growth.amounts["source_bytes"], growth.amounts["source_segments"]) == (0, 7)


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ("waiting", None, "waiting"),
        ("ready", "unknown", "ready"),
        ("waiting", "failed", "failed"),
        (None, "ready", "ready"),
    ],
)
def test_an_unknown_recording_status_keeps_the_last_known_one(
    before: str | None, now: str | None, kept: str | None
) -> None:
    (entry,), _ = Growth().add([Entry(before)], [Entry(now)])
    assert entry.recording == kept


def test_a_session_with_an_unknown_value_does_not_change_the_growth_of_the_others() -> None:
    known = [Entry(created_at=CREATED, source_bytes=amount) for amount in (10.0, 10.0, None)]
    read = [Entry(created_at=CREATED, source_bytes=amount) for amount in (14.0, None, 7.0)]
    entries, amounts = Growth().add(known, read)
    assert amounts["source_bytes"] == [4, 0, 0]
    assert [entry.source_bytes for entry in entries] == [14, 10, 7]


@pytest.mark.parametrize("amount", [10.0, None])
def test_a_creation_time_that_a_poll_does_not_return_stays_known(amount: float | None) -> None:
    known = Entry(created_at=CREATED, source_bytes=10.0)
    (entry,), _ = Growth().add([known], [Entry(created_at=None, source_bytes=amount)])
    assert entry == known


@pytest.mark.parametrize("status", [None, "unknown", "waiting"])
def test_D04_a_finished_recording_keeps_its_result_while_its_status_is_unknown_or_waiting_again(
    status: str | None,
) -> None:
    known = Entry(recording="ready", created_at=CREATED)
    (entry,), _ = Growth().add([known], [Entry(recording=status, created_at=CREATED)])
    assert entry.recording == "ready"
