"""What the accounts show: swaps, age, generations, accounts that go."""

import asyncio
import gzip
from dataclasses import replace

import pytest

from exporter.livepeer.errors import ServerError
from exporter.metrics.exposition import Format
from exporter.polling.poller import Poller
from tests.support.polled import Office, Shelf, session


def text(office: Office, form: Format = Format.TEXT) -> str:
    return b"".join(office.board.page(form).plain()).decode()


def poll(poller: Poller) -> None:
    asyncio.run(poller.poll())


def test_an_empty_board_has_a_page() -> None:
    page = Office().board.page(Format.TEXT)
    assert gzip.decompress(b"".join(page.packed(b"tail 1\n"))).endswith(b"tail 1\n")


def test_a_page_that_somebody_holds_does_not_change_when_another_is_published() -> None:
    office = Office()
    office.show([session(1)])
    held = office.board.page(Format.TEXT)
    before, packed = b"".join(held.plain()), held.packed(b"")
    office.show([session(2)])
    office.board.page(Format.TEXT)
    assert b"".join(held.plain()) == before
    assert held.packed(b"") == packed
    assert text(office).encode() != before


def test_what_is_published_is_on_the_next_page_in_both_formats() -> None:
    office = Office()
    for number in range(3):
        office.show([session(number)])
        for form in Format:
            shown = text(office, form)
            assert shown.count("livepeer_studio_session_active{") == 1
            assert session(number).id in shown


def test_pages_that_nobody_asks_for_in_between_are_not_missed() -> None:
    office = Office()
    text(office)
    for number in range(5):
        office.show([session(number)])
    assert session(4).id in text(office)


def test_R12_what_cannot_be_put_together_leaves_the_page_as_it_was() -> None:
    office = Office()
    office.show([session(1)])
    before = text(office)
    account_page = office.board.account_pages()["default"]
    assert account_page.data is not None
    with pytest.raises(IndexError):
        office.board.show("default", account_page.metrics, replace(account_page.data, chunks=()))
    assert text(office) == before
    office.show([session(2)])
    assert session(2).id in text(office)


def test_data_disappears_when_it_is_too_old_and_the_accounts_own_metrics_stay() -> None:
    office, shelf = Office(), Shelf([session(1)])
    poller = office.poller(shelf, max_staleness=300.0)
    poll(poller)
    shelf.error = ServerError(500)
    office.time.advance(299)
    poll(poller)
    assert "livepeer_studio_session_active{" in text(office)
    assert "livepeer_studio_sessions{" in text(office)
    office.time.advance(1)  # a scrape alone notices; nobody has to poll for it
    stale = text(office)
    assert "livepeer_studio_session_" not in stale
    assert "livepeer_studio_sessions{" not in stale
    assert "livepeer_studio_ingest_rate" not in stale
    for family in ("up", "snapshot_timestamp_seconds", "source_bytes_total", "exporter_polls_total"):
        assert f'\nlivepeer_studio_{family}{{account="default"}} ' in stale
    assert office.board.series() == 0


def test_the_age_counts_from_the_beginning_of_the_walk() -> None:
    office = Office()
    poller = office.poller(Shelf([session(1)], during=lambda: office.time.advance(20)), max_staleness=300.0)
    poll(poller)
    office.time.advance(279.5)
    assert "session_active" in text(office)
    office.time.advance(0.5)
    assert "session_active" not in text(office)


def test_stale_data_comes_back_with_the_next_good_poll() -> None:
    office, shelf = Office(), Shelf([session(1)])
    poller = office.poller(shelf)
    poll(poller)
    office.time.advance(1000)
    assert "session_active" not in text(office)
    poll(poller)
    assert "session_active" in text(office)


def test_accounts_grow_too_old_one_by_one() -> None:
    office = Office()
    office.show([session(1)], "early")
    office.time.advance(200)
    office.show([session(1)], "late")
    office.time.advance(100)
    shown = text(office)
    assert 'session_active{account="late"' in shown
    assert 'session_active{account="early"' not in shown
    assert {name for name, account_page in office.board.account_pages().items() if account_page.data} == {"late"}


def test_stale_data_leaves_its_part_of_the_budget_to_others() -> None:
    alone = Office()
    alone.show([session(1)])
    office = Office(limit=alone.board.series() * 3 // 2)
    office.show([session(1)], "early")
    office.show([session(1)], "late")
    assert text(office).count("session_active{") == 1
    office.time.advance(299)
    office.show([session(1)], "late")
    office.time.advance(1)
    text(office)
    office.show([session(1)], "late")
    assert 'session_active{account="late"' in text(office)


def test_an_account_that_is_removed_is_nowhere_on_the_page() -> None:
    office = Office()
    office.show([session(1)], "stays")
    office.show([session(1)], "goes")
    assert 'account="goes"' in text(office)
    office.board.remove("goes")
    assert 'account="goes"' not in text(office)
    assert 'account="stays"' in text(office)


def test_to_remove_an_account_that_is_not_there_does_nothing() -> None:
    office = Office()
    office.show([session(1)])
    before = text(office)
    office.board.remove("nobody")
    assert text(office) == before


def test_the_samples_of_a_family_stand_together_whatever_their_account() -> None:
    office = Office()
    for account in ("a", "b", "c"):
        office.show([session(1), session(2)], account)
    names = [line.partition("{")[0] for line in text(office).splitlines() if not line.startswith("#")]
    ends = [name for name, following in zip(names, [*names[1:], ""], strict=True) if name != following]
    plain = [name for name in ends if not name.endswith(("_bucket", "_sum", "_count"))]
    assert len(plain) == len(set(plain))


def test_the_number_of_series_is_over_all_accounts() -> None:
    office = Office()
    office.show([session(1)], "a")
    one = office.board.series()
    office.show([session(1)], "b")
    assert office.board.series() == 2 * one > 0
