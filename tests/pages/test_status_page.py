"""The status page: escaped, bounded, and clear about failures and ages."""

import asyncio
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Settings
from exporter.livepeer.errors import MissingKeyError, RateLimitError, ServerError, UnauthorizedError
from exporter.livepeer.id_range import IdRange
from exporter.livepeer.query import Scope
from exporter.pages.status_page import render
from exporter.polling.poller import Poller
from exporter.runtime.app import App
from exporter.runtime.environment import Environment
from exporter.sessions.problem import MAX_LISTED
from exporter.sessions.session import Session
from exporter.simulator.serve import serving
from tests.support.accounts import Accounts, FakeClient, session, session_lists
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.rows import START
from tests.support.simulated import Upstream, live_row


def page(accounts: Accounts, *pollers: Poller, issue_texts: bool = True) -> str:
    polled_accounts = [(poller.plan, poller.status) for poller in pollers]
    account_pages, now = accounts.pages.account_pages(), accounts.time.now()
    return render(polled_accounts, account_pages, now=now, metrics_path="/metrics", issue_texts=issue_texts)


def polled(accounts: Accounts, client: FakeClient, account: str = "default") -> Poller:
    poller = accounts.poller(client, account)
    asyncio.run(poller.poll())
    return poller


class Reader(HTMLParser):
    """Gathers the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.heads: list[str] = []
        self.cells: list[tuple[str | None, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "td":
            self.cells.append((dict(attrs).get("data-label"), ""))

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.tags[-1:] == ["th"] and data.strip():
            self.heads.append(data)
        if self.cells:
            label, before = self.cells[-1]
            self.cells[-1] = label, before + data


def cells(text: str, label: str) -> list[str]:
    """Return the cells of a column of the page, without those of live sessions."""
    return [text.strip() for name, text in Reader(text.partition("<details>")[0]).cells if name == label]


def live(text: str, label: str) -> list[str]:
    """Return the cells of a column of the live sessions."""
    return cells(text.partition("<details>")[2], label)


def unhealthy(number: int, **changes: object) -> Session:
    return session(number, **({"is_healthy": False} | changes))


def test_before_the_first_poll_there_is_no_data() -> None:
    accounts = Accounts()
    text = page(accounts, accounts.poller(FakeClient()))
    assert "starting" in text
    assert "No data for default" in text
    assert "None" not in text
    assert "<title>1 account without data – Livepeer sessions</title>" in text


def test_healthy_sessions_need_no_attention() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1), session(2)])))
    assert ">up<" in text
    assert "2 active" in text
    assert '<span class="good">None.</span>' in text
    assert '<span class="good">nothing needs attention</span>' in text
    assert "<title>Livepeer sessions</title>" in text
    assert "No data for" not in text


@pytest.mark.parametrize("sessions", [[], [session(1, name="sick", is_healthy=False)]], ids=["calm", "unhealthy"])
def test_accounts_without_data_are_named(sessions: list[Session]) -> None:
    accounts = Accounts()
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    starting = accounts.poller(FakeClient(), "new")
    text = page(accounts, failing, polled(accounts, FakeClient(sessions), "good"), starting)
    assert "No data for bad, new" in text
    assert '<span class="good">None.' not in text
    assert ("None in the available data." in text) == (not sessions)


def test_old_data_without_problems_is_not_green() -> None:
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert '<span class="good">None.' not in text
    assert "None in the available data." in text
    assert "The sessions of default are shown as of the last successful poll." in text


def test_some_of_many_accounts_without_data_are_named() -> None:
    accounts = Accounts()
    text = page(accounts, *[accounts.poller(FakeClient(), f"a{number}") for number in range(50)])
    assert "a18, a19 and 30 more</span>" in text


def test_the_headline_counts_the_problems() -> None:
    accounts = Accounts()
    sessions = [unhealthy(1), unhealthy(2), session(3, issues=("x",)), session(4, ingest_rate=0.0)]
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    text = page(accounts, polled(accounts, FakeClient(sessions)), failing)
    said = "2 unhealthy, 1 account failing, 1 with issues, 1 active without ingest"
    assert f"<title>{said} – Livepeer sessions</title>" in text
    assert f'<span class="bad">{said}</span>' in text


def test_the_page_has_its_time_so_that_a_frozen_one_is_noticed() -> None:
    accounts = Accounts()
    accounts.time.advance(61)
    assert "As of 2025-10-09 08:54:21 UTC: " in page(accounts, accounts.poller(FakeClient()))


def test_the_worst_problems_come_first() -> None:
    accounts = Accounts()
    sessions = [
        session(1, name="silent", ingest_rate=0.0),
        session(2, name="failed", record=True, recording_status="failed"),
        session(3, name="issues", issues=("something",)),
        session(4, name="sick", is_healthy=False),
    ]
    text = page(accounts, polled(accounts, FakeClient(sessions)))
    places = [text.index(f">{name}<") for name in ("sick", "issues", "silent", "failed")]
    assert places == sorted(places)


def test_at_most_50_problems_are_listed_and_all_are_counted() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([unhealthy(number) for number in range(MAX_LISTED + 7)])))
    assert len(cells(text, "Problem")) == MAX_LISTED == 50
    assert f"In all {MAX_LISTED + 7} unhealthy; 7 more are not listed." in text


def test_the_problems_of_all_accounts_are_in_one_list() -> None:
    accounts = Accounts()
    pollers = [polled(accounts, FakeClient([unhealthy(number) for number in range(40)]), name) for name in ("a", "b")]
    text = page(accounts, *pollers)
    assert len(cells(text, "Problem")) == 50
    assert "30 more are not listed." in text


def test_a_failing_account_shows_the_reason_the_number_of_failures_and_the_next_poll() -> None:
    accounts, client = Accounts(), FakeClient([unhealthy(1, name="still shown")])
    poller = polled(accounts, client)
    client.error = RateLimitError(429, retry_after=600.0)
    asyncio.run(poller.poll())
    accounts.time.advance(60)
    text = page(accounts, poller)
    assert "failing, last data shown" in text
    assert "rate_limited: the rate limit of the API is exceeded (HTTP 429)<br>" in text
    assert "1 failed poll, last success 1m ago, 2025-10-09 08:53:20 UTC; next poll in 9m" in text
    assert "still shown" in text


def test_failed_polls_are_counted() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient(error=ServerError(500)))
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert "2 failed polls in a row, never succeeded; next poll in " in text
    assert "no data yet" in text


def test_ages_grow_while_polls_fail() -> None:
    accounts, client = Accounts(), FakeClient([unhealthy(1)])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    accounts.time.advance(60)
    asyncio.run(poller.poll())
    assert cells(page(accounts, poller), "Last media") == ["1m10s ago"]
    assert cells(page(accounts, poller), "Created") == ["11m ago"]
    assert cells(page(accounts, poller), "Data age") == ["1m ago"]


def test_ages_do_not_shrink_when_the_wall_clock_steps_back() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient([unhealthy(1)]))
    accounts.time.advance(-60)
    assert cells(page(accounts, poller), "Last media") == ["10s ago"]


@pytest.mark.parametrize("error", [MissingKeyError("no API key is set"), UnauthorizedError(401)])
def test_a_missing_or_rejected_key_shows_a_hint(error: Exception) -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient(error=error)))
    assert "Set <code>LIVEPEER_API_KEY</code> or <code>--api-key-file</code>" in text
    assert "<code>livepeer-session-exporter check</code>" in text


def test_other_failures_show_no_hint_about_the_key() -> None:
    accounts = Accounts()
    assert "LIVEPEER_API_KEY" not in page(accounts, polled(accounts, FakeClient(error=ServerError(500))))


def test_stale_data_is_not_shown() -> None:
    accounts, client = Accounts(), FakeClient([unhealthy(1, name="too old")])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    accounts.time.advance(301)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert "failing<" in text
    assert cells(text, "Data age") == ["stale: older than 5m"]
    assert "too old" not in text
    assert "No data for default" in text


def test_an_account_whose_polls_never_end_is_not_up() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient([session(1)]))
    accounts.time.advance(301)
    text = page(accounts, poller)
    assert ">up<" not in text
    assert "no recent poll" in text
    assert "1 account without data" in text


def test_a_recently_ended_session_is_listed_separately() -> None:
    accounts = Accounts()
    dark = session(1, name="dark", last_seen=(START - 180) * 1000, is_healthy=False, issues=("stale issue",))
    text = page(accounts, polled(accounts, FakeClient([dark, session(2)])))
    _, ended = text.split("<h2>Ended in the last 15m</h2>")
    assert cells(ended, "Stream") == ["dark"]
    assert cells(ended, "Last media") == ["3m ago"]
    assert '<span class="good">None.</span>' in text
    assert "stale issue" not in text


def test_an_ended_session_that_was_continued_is_marked() -> None:
    accounts = Accounts()
    before = session(1, name="main", parent_id="p", last_seen=(START - 180) * 1000)
    alone = page(accounts, polled(accounts, FakeClient([before])))
    assert cells(alone, "Stream") == ["main"]
    again = page(accounts, polled(accounts, FakeClient([before, session(2, name="main", parent_id="p")])))
    assert cells(again, "Stream") == ["maincontinued in another session"]


def test_sessions_that_were_not_continued_come_before_those_that_were() -> None:
    accounts = Accounts()
    ended = [
        session(1, name="returned", parent_id="a", last_seen=(START - 100) * 1000),
        session(2, name="gone", parent_id="b", last_seen=(START - 500) * 1000),
        session(3, name="gone before", parent_id="b", last_seen=(START - 700) * 1000),
    ]
    text = page(accounts, polled(accounts, FakeClient([*ended, session(4, parent_id="a")])))
    names = [name.removesuffix("continued in another session") for name in cells(text, "Stream")]
    assert names == ["gone", "returned", "gone before"]


def test_live_sessions_are_behind_a_fold_by_name() -> None:
    accounts = Accounts()
    sessions = [
        session(1, name="b"),
        unhealthy(2, name="c"),
        session(3, name="a", is_healthy=None),
        session(4, name="ended", last_seen=(START - 180) * 1000),
    ]
    text = page(accounts, polled(accounts, FakeClient(sessions)))
    assert "<summary>All 3 live sessions</summary>" in text
    assert live(text, "Stream") == ["a", "b", "c"]
    assert live(text, "Health") == [f"{name}since 08:53 (0s)" for name in ("unknown", "healthy", "unhealthy")]
    assert "not listed" not in text


def test_one_live_session_is_counted_in_the_singular_and_without_any_there_is_no_fold() -> None:
    accounts = Accounts()
    assert "<summary>1 live session</summary>" in page(accounts, polled(accounts, FakeClient([session(1)])))
    assert "<details" not in page(accounts, polled(accounts, FakeClient([])))


def test_some_of_many_live_sessions_are_listed_and_the_others_counted() -> None:
    accounts = Accounts()
    sessions = [session(number, name=f"{number:03}", created_at=(START - number) * 1000) for number in range(1, 137)]
    text = page(accounts, polled(accounts, FakeClient(sessions)))
    assert "<summary>All 136 live sessions</summary>" in text
    assert "<p>These were created last; 36 more are not listed.</p>" in text
    assert live(text, "Stream") == [f"{number:03}" for number in range(1, 101)]


def test_a_session_without_media_is_listed_separately() -> None:
    accounts = Accounts()
    waiting = session(1, name="waiting", last_seen=0.0, created_at=(START - 1200) * 1000)
    text = page(accounts, polled(accounts, FakeClient([waiting])))
    _, pending = text.split("<h2>Created over 3m ago, no media yet</h2>")
    assert cells(pending, "Stream") == ["waiting"]
    assert cells(pending, "Created") == ["20m ago"]
    assert cells(pending, "Last media") == ["never"]


def test_empty_lists_are_omitted() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1)])))
    assert "Ended in" not in text
    assert "no media yet" not in text


def test_some_of_many_ended_sessions_are_listed_and_the_others_counted() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(n, last_seen=(START - 100) * 1000) for n in range(25)])))
    assert len(cells(text, "Stream")) == 20
    assert "<p>5 more are not listed.</p>" in text


def test_without_issue_texts_the_issues_are_counted() -> None:
    accounts = Accounts()
    sick = [unhealthy(1, issues=("issue text", "more")), unhealthy(2, issues=("issue text",)), unhealthy(3)]
    poller = polled(accounts, FakeClient(sick))
    assert cells(page(accounts, poller), "Issues reported by Livepeer") == ["issue text; more", "issue text", "none"]
    hidden = page(accounts, poller, issue_texts=False)
    assert cells(hidden, "Issues reported by Livepeer") == ["2 issues", "1 issue", "none"]
    assert "issue text" not in hidden


@pytest.mark.parametrize("wanted", [True, False])
@in_loop
async def test_the_program_shows_issue_texts_as_configured(tmp_path: Path, wanted: bool) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    async with serving(Upstream([live_row(1, isHealthy=False, issues=["issue text"])])) as url:
        accounts = [{"name": "default", "api_key_file": str(key), "base_url": url}]
        environment = Environment(time.time, time.monotonic, jitter=lambda: 0.5, redact=lambda _: None)
        app = App(Settings(accounts=accounts, issue_texts=wanted), environment)
        await app.start()
        while "default" not in (account_pages := app.page_store.account_pages()) or not account_pages["default"].data:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        text = app.render_status_page()
        await app.stop()
    assert "unhealthy" in text
    assert ("issue text" in text) == wanted


def test_issues_are_shown_for_active_sessions_only() -> None:
    accounts = Accounts()
    failed = session(1, last_seen=0.0, issues=("stale issue",), record=True, recording_status="failed")
    ended = session(2, last_seen=(START - 3000) * 1000, issues=("stale issue",), record=True, recording_status="failed")
    text = page(accounts, polled(accounts, FakeClient([failed, ended])))
    assert text.count(">recording failed<") == 2
    assert "stale issue" not in text


def test_every_cell_has_the_name_of_its_column() -> None:
    accounts = Accounts()
    client = FakeClient([unhealthy(1, issues=("x",)), session(2, last_seen=(START - 180) * 1000)])
    text = page(accounts, polled(accounts, client))
    found = Reader(text)
    labels = [value for name, value in found.attributes if name == "data-label"]
    assert labels == found.heads
    assert "attr(data-label)" in text


def test_V12_configured_streams_without_sessions_are_listed_and_counted_in_the_headline() -> None:
    accounts = Accounts()
    scope = Scope(3600.0, 14_400.0, frozenset({"parent-1", "typo<", "parent-2"}))
    poller = accounts.poller(FakeClient([session(1)]), scope=scope)
    assert "Configured streams" not in page(accounts, poller)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert '<span class="bad">2 configured streams without sessions</span>' in text
    assert cells(text, "Stream id") == ["parent-2", "typo<"]
    assert "none in 1h" in text
    accounts.time.advance(301)
    assert "Configured streams" not in page(accounts, poller)


def test_V12_some_of_many_configured_streams_without_sessions_are_listed() -> None:
    accounts = Accounts()
    scope = Scope(3600.0, 14_400.0, frozenset(f"stream-{number}" for number in range(57)))
    poller = accounts.poller(FakeClient([]), scope=scope)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert len(cells(text, "Stream id")) == 50
    assert "<p>7 more are not listed.</p>" in text


def page_after_trouble(**changes: Any) -> str:
    """Return the page two minutes after a stream has become unhealthy, and another one has reconnected."""
    accounts, client = Accounts(), FakeClient([session(1), session(2, last_seen=(START - 100) * 1000)])
    poller = accounts.poller(client, **changes)
    asyncio.run(poller.poll())
    returned = session(3, name="returned", parent_id="parent-2", created_at=(START + 1) * 1000)
    client.result = [unhealthy(1), session(2, last_seen=(START - 100) * 1000), returned]
    accounts.time.advance(30)
    asyncio.run(poller.poll())
    accounts.time.advance(120)
    return page(accounts, poller)


def test_the_polls_show_since_when_and_how_often() -> None:
    text = page_after_trouble()
    assert cells(text, "Problem") == ["unhealthysince 08:53 (2m)1 episode in the last hour"]
    assert cells(text, "Reconnects") == ["reconnected once in the last hour, 08:53"]
    assert live(text, "Health") == ["healthysince 08:53 (2m)", "unhealthysince 08:53 (2m)1 episode in the last hour"]


def test_a_shard_which_sees_some_sessions_of_each_stream_shows_nothing_of_streams() -> None:
    text = page_after_trouble(scope=Scope(3600.0, 14_400.0, ids=IdRange(until="8")))
    assert cells(text, "Problem") == ["unhealthysince 08:53 (2m)"]
    assert "Reconnecting" not in text


def test_the_size_of_the_page_does_not_depend_on_the_number_of_sessions() -> None:
    def size(count: int) -> int:
        accounts = Accounts()
        states: list[dict[str, object]] = [
            {"is_healthy": False, "issues": ("x" * 200,) * 9},
            {"last_seen": (START - 300) * 1000, "record": True, "recording_status": "failed"},
            {"last_seen": 0.0},
        ]
        sessions = [session(number, name="<" * 200, **states[number % 3]) for number in range(count)]
        return len(page(accounts, polled(accounts, FakeClient(sessions))))

    assert abs(size(3000) - size(1000)) < 500
    assert size(3000) < 400_000


def test_it_has_no_scripts() -> None:
    accounts = Accounts()
    assert "script" not in Reader(page(accounts, polled(accounts, FakeClient([unhealthy(1)])))).tags


def test_one_failing_account_does_not_hide_another() -> None:
    accounts = Accounts()
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    text = page(accounts, failing, polled(accounts, FakeClient([unhealthy(1, name="visible")]), "good"))
    assert "visible" in text
    assert "failing<" in text


def test_rates_are_in_bits_per_second() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1, ingest_rate=500_000.0, outgoing_rate=1.5e9)])))
    assert "4 Mbit/s in" in text
    assert "12 Gbit/s out" in text


def test_ages_are_durations_and_never_negative() -> None:
    accounts = Accounts()
    ahead = unhealthy(1, last_seen=(START + 30) * 1000, created_at=(START - 7200) * 1000)
    text = page(accounts, polled(accounts, FakeClient([ahead])))
    assert cells(text, "Created") == ["2h ago"]
    assert cells(text, "Last media") == ["0s ago"]


def test_the_page_reloads_no_faster_than_the_polls() -> None:
    accounts = Accounts()
    text = page(
        accounts,
        accounts.poller(FakeClient(), "slow", interval=60.0),
        accounts.poller(FakeClient(), "slower", interval=90.0),
    )
    assert '<meta http-equiv="refresh" content="60">' in text


def test_the_page_has_nothing_that_gives_access_to_the_video() -> None:
    accounts = Accounts()
    secret = unhealthy(1, playback_id="watch-me", recording_url="https://x.invalid/r", mp4_url="https://x.invalid/m")
    text = page(accounts, polled(accounts, FakeClient([secret])))
    assert "watch-me" not in text
    assert "x.invalid" not in text


@settings(max_examples=60)
@given(sessions=session_lists, account=st.sampled_from(["default", "<b>bold</b>", '"&amp;"', "{now}"]))
def test_no_text_becomes_markup(sessions: list[Session], account: str) -> None:
    accounts = Accounts()
    calm = Accounts()
    markup = '<script>alert("x")</script>'
    nasty = [
        unhealthy(number, name=markup, issues=(markup, *(each.issues or ()))) for number, each in enumerate(sessions)
    ]
    plain = [unhealthy(number, name="n", issues=("i",)) for number, _ in enumerate(sessions)]
    found = Reader(page(accounts, polled(accounts, FakeClient(nasty), account)))
    expected = Reader(page(calm, polled(calm, FakeClient(plain), "default")))
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes
    assert account in found.text
