"""Accounts come, change and go while the program runs, and the others notice nothing."""

from pathlib import Path

import pytest

from exporter.simulator.world import World
from tests.fleet.hand import fleet
from tests.fleet.shards import Account
from tests.support.canary import KEY
from tests.support.harness import Scrape
from tests.support.loop import in_loop
from tests.support.rows import START, row

SOURCES = {name: World(place, 7, start=START) for place, name in enumerate(("anna", "bert", "cleo", "dora"))}


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(KEY)
    return str(path)


@in_loop
async def test_starts_are_spread_over_the_interval(key_file: str) -> None:
    async with fleet(SOURCES, *SOURCES, key_file=key_file) as running:
        assert list(running.hand.delays.values()) == [0.0, 7.5, 15.0, 22.5]


@in_loop
async def test_an_account_that_is_added_is_on_the_page_at_once_and_has_data_after_its_first_poll(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.hand.turn(60)
        await running.apply("anna", "bert")
        assert running.accounts() == {"anna", "bert"}
        assert running.scrape().value("up", account="bert") == 0
        await running.hand.turn(1)
        assert running.scrape().value("up", account="bert") == 1
        assert running.scrape().all("session_active", account="bert")


@in_loop
async def test_an_account_that_is_removed_is_nowhere_any_more_at_once(key_file: str) -> None:
    async with fleet(SOURCES, "anna", "bert", key_file=key_file) as running:
        await running.hand.turn(60)
        assert running.scrape().all("session_active", account="bert")
        await running.apply("anna")
        assert 'account="bert"' not in running.scrape().text
        assert ">bert<" not in running.app.render_status_page()
        polled = dict(running.hand.polled)
        await running.hand.turn(60)
        assert running.hand.polled["bert"] == polled["bert"]
        assert running.hand.polled["anna"] > polled["anna"]


@in_loop
async def test_the_others_do_not_notice_a_reload(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.hand.turn(60)
        before = running.scrape()
        await running.apply("anna", "bert")
        await running.apply("anna")
        assert running.scrape().samples == before.samples


@in_loop
async def test_an_account_that_changes_keeps_its_data_and_goes_on_counting(key_file: str) -> None:
    account = Account()
    account.now = [row(1)]
    async with fleet({"anna": account}, "anna", key_file=key_file) as running:
        await running.hand.turn(1)
        account.now = [row(1, sourceBytes=1_000_500)]
        await running.apply({"name": "anna", "poll_interval": "60s"})
        assert running.scrape().sessions()
        await running.hand.turn(1)
        account.now = [row(1, sourceBytes=1_000_700)]
        await running.hand.turn(60)
        shown = running.scrape()
        assert shown.value("source_bytes_total") == 700
        assert shown.value("exporter_polls_total") == 2
        assert shown.value("exporter_poll_interval_seconds") == 60


@in_loop
async def test_a_coarser_detail_makes_room_for_the_other_accounts(key_file: str) -> None:
    accounts = {name: Account() for name in ("anna", "bert")}
    for account in accounts.values():
        account.now = [row(number) for number in range(40)]
    async with fleet(accounts, "anna", "bert", key_file=key_file, max_series=1000) as running:
        await running.hand.turn(120)
        both = shown(running.scrape())
        assert 0 < both["anna"] == both["bert"] < 40
        await running.apply({"name": "anna", "detail": "account"}, "bert")
        await running.hand.turn(120)
        assert shown(running.scrape()) == {"anna": 0, "bert": 40}


def shown(page: Scrape) -> dict[str, float]:
    """How many sessions of each account are on the page one by one."""
    return {labels["account"]: count for labels, count in page.all("exporter_sessions_exported")}


@in_loop
async def test_what_needs_a_restart_changes_nothing_before(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.hand.turn(1)
        sessions = running.scrape().sessions()
        waiting = await running.app.apply(
            running.settings({"name": "anna", "poll_interval": "20s"}, shard_count=4, shard_index=3)
        )
        assert set(waiting) == {"shard_count", "shard_index"}
        await running.hand.turn(20)
        assert running.scrape().sessions() == sessions
