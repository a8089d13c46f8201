"""The page store: generations, stale data, removed accounts."""

import asyncio
import gzip
import random

import pytest
from msgspec.structs import replace

from exporter.livepeer.errors import ServerError
from exporter.metrics import catalogue
from exporter.metrics.catalogue import STREAM_LIFE_COUNTERS, Options
from exporter.metrics.chunks import Chunk
from exporter.metrics.instruments import Telemetry
from exporter.metrics.text_format import Format
from exporter.polling.poller import Poller
from exporter.sessions.session import Profile, Session
from tests.support.accounts import Accounts, FakeClient, session
from tests.support.rows import START


def text(accounts: Accounts, form: Format = Format.TEXT) -> str:
    return b"".join(accounts.pages.page(form).plain()).decode()


def poll(poller: Poller) -> None:
    asyncio.run(poller.poll())


def test_an_empty_page_store_has_a_page() -> None:
    page = Accounts().pages.page(Format.TEXT)
    assert gzip.decompress(b"".join(page.packed(b"tail 1\n"))).endswith(b"tail 1\n")


def test_a_page_does_not_change_when_another_is_published() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    held = accounts.pages.page(Format.TEXT)
    before, packed = b"".join(held.plain()), held.packed(b"")
    accounts.publish([session(2)])
    accounts.pages.page(Format.TEXT)
    assert b"".join(held.plain()) == before
    assert held.packed(b"") == packed
    assert text(accounts).encode() != before


def test_what_is_published_is_on_the_next_page_in_both_formats() -> None:
    accounts = Accounts()
    for number in range(3):
        accounts.publish([session(number)])
        for form in Format:
            shown = text(accounts, form)
            assert shown.count("livepeer_studio_session_active{") == 1
            assert session(number).id in shown


def random_session(choose: random.Random, number: int) -> Session:
    issues = choose.choice([(), ("slow",), ("slow", "lost"), ("lost", "slow")])
    bitrates = choose.choice([(), (0.0,), (8.0,), (8.0, 16.0)])
    return session(
        number,
        name=choose.choice(["a", 'a", "b', None]),
        parent_id=choose.choice([None, "p", "q"]),
        last_seen=(START - choose.choice([10, 600])) * 1000,
        source_bytes=choose.choice([None, 0.0, 1e16]),
        is_healthy=choose.choice([None, True, False]),
        issues=issues,
        profiles=tuple(Profile(name=f"{place}", bitrate=each) for place, each in enumerate(bitrates)),
        project_id=choose.choice([None, "x"]),
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_polls_before_change_nothing_on_the_page(seed: int) -> None:
    choose, options = random.Random(seed), Options(profile_series=True, project_ids=True)
    accounts = Accounts(options)
    sessions, detail = {number: random_session(choose, number) for number in range(4)}, "session"
    for _ in range(8):
        match choose.randrange(6):
            case 0:
                sessions = dict(choose.sample([*sessions.items()], len(sessions)))
            case 1:
                sessions.pop(choose.randrange(5), None)
            case 2:
                detail = choose.choice(["session", "stream", "account"])
            case _:
                number = choose.randrange(5)
                sessions[number] = random_session(choose, number)
        accounts.publish([*sessions.values()], detail=detail)
        fresh = Accounts(options)
        fresh.publish([*sessions.values()], detail=detail)
        if choose.random() < 0.7:  # without a scrape, the next poll finds chunks that are no views of a page
            assert text(accounts) == text(fresh)


def test_scrapes_without_a_publication_in_between_get_the_same_page() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    assert accounts.pages.page(Format.TEXT) is accounts.pages.page(Format.TEXT)


def test_the_gauges_of_an_account_are_views_of_the_page() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    page = accounts.pages.page(Format.TEXT)
    data = accounts.pages.account_pages()["default"].data
    assert data is not None
    counters = {family.name for family in STREAM_LIFE_COUNTERS}
    chunks = [chunk.data for name, each in data.chunks.items() if name not in counters for chunk in each]
    assert chunks
    assert all(isinstance(chunk, memoryview) and chunk.obj is page.start for chunk in chunks)


def test_counters_of_webhooks_are_on_the_next_page_without_a_publication() -> None:
    accounts, telemetry = Accounts(), Telemetry("default")
    telemetry.show_webhooks()
    poller = accounts.poller(FakeClient([session(1)]), telemetry=telemetry)
    poll(poller)
    before = text(accounts).splitlines()
    accounts.pages.follow_webhooks("default", telemetry.changed_webhooks)
    accounts.pages.follow_webhooks("removed", telemetry.changed_webhooks)
    assert text(accounts).splitlines() == before
    page = accounts.pages.page(Format.TEXT)
    assert accounts.pages.page(Format.TEXT) is page
    telemetry.count(catalogue.POLLS)  # appears with the next publication
    telemetry.count(catalogue.WEBHOOKS, 1, "none", "unauthorized")
    telemetry.observe(catalogue.WEBHOOK_LAG, 400.0)
    after = text(accounts).splitlines()
    assert [new for old, new in zip(before, after, strict=True) if new != old] == [
        'livepeer_studio_webhooks_total{account="default",event="none",result="unauthorized"} 1.0',
        'livepeer_studio_webhook_lag_seconds_bucket{account="default",le="+Inf"} 1.0',
        'livepeer_studio_webhook_lag_seconds_count{account="default"} 1.0',
        'livepeer_studio_webhook_lag_seconds_sum{account="default"} 400.0',
    ]
    packed = gzip.decompress(b"".join(accounts.pages.page(Format.TEXT).packed(b"")))
    assert packed.decode().splitlines() == after
    accounts.pages.remove("default")
    telemetry.count(catalogue.WEBHOOKS, 1, "none", "unauthorized")
    assert "livepeer_studio_webhooks_total{" not in text(accounts)


def test_the_webhooks_of_a_removed_account_are_not_on_the_page_of_another_of_its_name() -> None:
    accounts, telemetry = Accounts(), Telemetry("default")
    accounts.publish([session(1)])
    accounts.pages.follow_webhooks("default", telemetry.changed_webhooks)
    accounts.pages.remove("default")
    accounts.publish([session(1)])
    telemetry.show_webhooks()
    assert "livepeer_studio_webhooks_total{" not in text(accounts)


def test_the_series_of_an_account_are_kept_by_key_for_its_next_poll() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    data = accounts.pages.account_pages()["default"].data
    assert data is not None
    chunks = [chunk for each in data.chunks.values() for chunk in each if chunk.key]
    assert chunks
    kept = accounts.pages.rendered("default")
    assert all(kept[chunk.key] == chunk for chunk in chunks)
    assert accounts.pages.rendered("unknown") == {}


def test_publications_between_two_scrapes_are_on_the_next_page() -> None:
    accounts = Accounts()
    text(accounts)
    for number in range(5):
        accounts.publish([session(number)])
    assert session(4).id in text(accounts)


def test_R12_data_that_cannot_be_composed_leaves_the_page_as_it_was() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    before = text(accounts)
    data = accounts.pages.account_pages()["default"].data
    assert data is not None
    broken = dict.fromkeys(data.chunks, (Chunk("not bytes", 1, 0),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        accounts.pages.publish("default", list(Telemetry("default").collect()), replace(data, chunks=broken))
    assert text(accounts) == before
    accounts.publish([session(2)])
    assert session(2).id in text(accounts)


def test_R12_instruments_that_cannot_be_composed_leave_the_page_as_it_was() -> None:
    accounts = Accounts()
    accounts.publish([session(1)], "other")
    accounts.publish([session(1)])
    before = text(accounts)
    accounts.publish([session(2)])
    new = accounts.pages.account_pages()["default"].data
    accounts.publish([session(1)])
    text(accounts)
    with pytest.raises(ValueError, match="shorter"):
        accounts.pages.publish("default", [], new)
    assert text(accounts) == before


def test_stale_data_disappears_and_the_accounts_instruments_stay() -> None:
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = accounts.poller(client, max_staleness=300.0)
    poll(poller)
    client.error = ServerError(500)
    accounts.time.advance(299)
    poll(poller)
    assert "livepeer_studio_session_active{" in text(accounts)
    assert "livepeer_studio_sessions{" in text(accounts)
    accounts.time.advance(1)  # noticed by the scrape, without a poll
    stale = text(accounts)
    assert "livepeer_studio_session_" not in stale
    assert "livepeer_studio_sessions{" not in stale
    assert "livepeer_studio_ingest_rate" not in stale
    for family in ("up", "snapshot_timestamp_seconds", "source_bytes_total", "exporter_polls_total"):
        assert f'\nlivepeer_studio_{family}{{account="default"}} ' in stale
    assert accounts.pages.series() == 0


def test_the_age_counts_from_the_start_of_the_poll() -> None:
    accounts = Accounts()
    poller = accounts.poller(FakeClient([session(1)], during=lambda: accounts.time.advance(20)), max_staleness=300.0)
    poll(poller)
    accounts.time.advance(279.5)
    assert "session_active" in text(accounts)
    accounts.time.advance(0.5)
    assert "session_active" not in text(accounts)


def test_stale_data_comes_back_with_the_next_good_poll() -> None:
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = accounts.poller(client)
    poll(poller)
    accounts.time.advance(1000)
    assert "session_active" not in text(accounts)
    poll(poller)
    assert "session_active" in text(accounts)


def test_each_account_becomes_stale_by_itself() -> None:
    accounts = Accounts()
    accounts.publish([session(1)], "early")
    accounts.time.advance(200)
    accounts.publish([session(1)], "late")
    accounts.time.advance(100)
    shown = text(accounts)
    assert 'session_active{account="late"' in shown
    assert 'session_active{account="early"' not in shown
    assert {name for name, account_page in accounts.pages.account_pages().items() if account_page.data} == {"late"}


def test_stale_data_releases_its_part_of_the_budget() -> None:
    alone = Accounts()
    alone.publish([session(1)])
    accounts = Accounts(limit=alone.pages.series() * 3 // 2)
    accounts.publish([session(1)], "early")
    accounts.publish([session(1)], "late")
    assert text(accounts).count("session_active{") == 1
    accounts.time.advance(299)
    accounts.publish([session(1)], "late")
    accounts.time.advance(1)
    text(accounts)
    accounts.publish([session(1)], "late")
    assert 'session_active{account="late"' in text(accounts)


def test_a_removed_account_is_not_on_the_page() -> None:
    accounts = Accounts()
    accounts.publish([session(1)], "stays")
    accounts.publish([session(1)], "goes")
    assert 'account="goes"' in text(accounts)
    accounts.pages.remove("goes")
    assert 'account="goes"' not in text(accounts)
    assert 'account="stays"' in text(accounts)


def test_a_removed_account_releases_its_part_of_the_budget() -> None:
    alone = Accounts()
    alone.publish([session(1)])
    accounts = Accounts(limit=alone.pages.series())
    accounts.publish([session(1)], "goes")
    accounts.pages.remove("goes")
    accounts.publish([session(1)], "stays")
    assert 'session_active{account="stays"' in text(accounts)


def test_removing_an_unknown_account_does_nothing() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    before = text(accounts)
    accounts.pages.remove("unknown")
    assert text(accounts) == before


def test_the_samples_of_a_family_are_contiguous_over_all_accounts() -> None:
    accounts = Accounts()
    for account in ("a", "b", "c"):
        accounts.publish([session(1), session(2)], account)
    names = [line.partition("{")[0] for line in text(accounts).splitlines() if not line.startswith("#")]
    ends = [name for name, following in zip(names, [*names[1:], ""], strict=True) if name != following]
    plain = [name for name in ends if not name.endswith(("_bucket", "_sum", "_count"))]
    assert len(plain) == len(set(plain))


def test_the_number_of_series_covers_all_accounts() -> None:
    accounts = Accounts()
    accounts.publish([session(1)], "a")
    one = accounts.pages.series()
    accounts.publish([session(1)], "b")
    assert accounts.pages.series() == 2 * one > 0
