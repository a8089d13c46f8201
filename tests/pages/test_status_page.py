"""The page for people: escaped, bounded, honest about failures and age."""

import asyncio
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Settings
from exporter.livepeer.errors import MissingKeyError, RateLimitError, ServerError, UnauthorizedError
from exporter.pages.status_page import render
from exporter.polling.poller import Poller
from exporter.runtime.app import App, Environment
from exporter.sessions.attention import MAX_LISTED
from exporter.sessions.session import Session
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.polled import Accounts, FakeClient, session, some_sessions
from tests.support.rows import START
from tests.support.simulated import Upstream, live


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
    """What stands in a column of the page, from the top down."""
    return [said.strip() for name, said in Reader(text).cells if name == label]


def troubled(number: int, **changes: object) -> Session:
    return session(number, **({"is_healthy": False} | changes))


def test_before_the_first_poll_it_says_that_there_is_no_data() -> None:
    accounts = Accounts()
    text = page(accounts, accounts.poller(FakeClient()))
    assert "starting" in text
    assert "Nothing can be said about the sessions of default" in text
    assert "None" not in text
    assert "<title>1 account without data – Livepeer sessions</title>" in text


def test_when_all_is_well_nothing_needs_attention() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1), session(2)])))
    assert ">up<" in text
    assert "2 active" in text
    assert '<span class="good">None.</span>' in text
    assert '<span class="good">nothing needs attention</span>' in text
    assert "<title>Livepeer sessions</title>" in text
    assert "Nothing can be said" not in text


@pytest.mark.parametrize("sessions", [[], [session(1, name="sick", is_healthy=False)]], ids=["calm", "troubled"])
def test_it_names_the_accounts_of_which_nothing_is_known(sessions: list[Session]) -> None:
    accounts = Accounts()
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    starting = accounts.poller(FakeClient(), "new")
    text = page(accounts, failing, polled(accounts, FakeClient(sessions), "good"), starting)
    assert "Nothing can be said about the sessions of bad, new" in text
    assert '<span class="good">None.' not in text
    assert ("None in the data that is there." in text) == (not sessions)


def test_a_calm_that_is_only_remembered_is_not_green() -> None:
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert '<span class="good">None.' not in text
    assert "None in the data that is there." in text
    assert "The sessions of default are shown as they were at the last good poll." in text


def test_of_very_many_accounts_without_data_some_are_named() -> None:
    accounts = Accounts()
    text = page(accounts, *[accounts.poller(FakeClient(), f"a{number}") for number in range(50)])
    assert "a18, a19 and 30 more</span>" in text


def test_its_head_counts_what_is_wrong() -> None:
    accounts = Accounts()
    sessions = [troubled(1), troubled(2), session(3, issues=("x",)), session(4, ingest_rate=0.0)]
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    text = page(accounts, polled(accounts, FakeClient(sessions)), failing)
    said = "2 unhealthy, 1 account failing, 1 with issues, 1 active without ingest"
    assert f"<title>{said} – Livepeer sessions</title>" in text
    assert f'<span class="bad">{said}</span>' in text


def test_it_says_when_it_was_made_so_that_a_frozen_one_can_be_told() -> None:
    accounts = Accounts()
    accounts.time.advance(61)
    assert "As of 2025-10-09 08:54:21 UTC: " in page(accounts, accounts.poller(FakeClient()))


def test_the_worst_come_first() -> None:
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


def test_at_most_50_are_listed_and_the_rest_is_told() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([troubled(number) for number in range(MAX_LISTED + 7)])))
    assert text.count(">unhealthy<") == MAX_LISTED == 50
    assert f"In all {MAX_LISTED + 7} unhealthy; 7 more are not listed here." in text


def test_the_troubles_of_all_accounts_are_in_one_list() -> None:
    accounts = Accounts()
    pollers = [polled(accounts, FakeClient([troubled(number) for number in range(40)]), name) for name in ("a", "b")]
    text = page(accounts, *pollers)
    assert text.count(">unhealthy<") == 50
    assert "30 more are not listed here." in text


def test_a_failing_account_shows_why_how_often_and_when_it_is_tried_again() -> None:
    accounts, client = Accounts(), FakeClient([troubled(1, name="still shown")])
    poller = polled(accounts, client)
    client.error = RateLimitError(429, retry_after=600.0)
    asyncio.run(poller.poll())
    accounts.time.advance(60)
    text = page(accounts, poller)
    assert "failing, shows its last data" in text
    assert "rate_limited: the rate limit of the API is exceeded (HTTP 429)<br>" in text
    assert "1 failed poll, last good poll 1m ago, 2025-10-09 08:53:20 UTC; next poll in 9m" in text
    assert "still shown" in text


def test_failed_polls_are_counted() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient(error=ServerError(500)))
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert "2 failed polls in a row, no good poll yet; next poll in " in text
    assert "no data yet" in text


def test_ages_of_sessions_grow_while_polls_fail() -> None:
    accounts, client = Accounts(), FakeClient([troubled(1)])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    accounts.time.advance(60)
    asyncio.run(poller.poll())
    assert cells(page(accounts, poller), "Last media") == ["1m10s ago"]
    assert cells(page(accounts, poller), "Started") == ["11m ago"]
    assert cells(page(accounts, poller), "Data from") == ["1m ago"]


def test_ages_do_not_shrink_when_our_clock_goes_back() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient([troubled(1)]))
    accounts.time.advance(-60)
    assert cells(page(accounts, poller), "Last media") == ["10s ago"]


@pytest.mark.parametrize("error", [MissingKeyError("no API key is set"), UnauthorizedError(401)])
def test_without_a_good_key_it_says_what_to_do(error: Exception) -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient(error=error)))
    assert "Set <code>LIVEPEER_API_KEY</code> or <code>--api-key-file</code>" in text
    assert "<code>livepeer-session-exporter check</code>" in text


def test_other_failures_have_nothing_to_do_with_the_key() -> None:
    accounts = Accounts()
    assert "LIVEPEER_API_KEY" not in page(accounts, polled(accounts, FakeClient(error=ServerError(500))))


def test_an_account_whose_data_is_too_old_shows_none() -> None:
    accounts, client = Accounts(), FakeClient([troubled(1, name="too old")])
    poller = polled(accounts, client)
    client.error = ServerError(500)
    accounts.time.advance(301)
    asyncio.run(poller.poll())
    text = page(accounts, poller)
    assert "failing<" in text
    assert cells(text, "Data from") == ["gone: older than 5m"]
    assert "too old" not in text
    assert "Nothing can be said about the sessions of default" in text


def test_an_account_whose_polls_never_end_is_not_called_up() -> None:
    accounts = Accounts()
    poller = polled(accounts, FakeClient([session(1)]))
    accounts.time.advance(301)
    text = page(accounts, poller)
    assert ">up<" not in text
    assert "no poll has ended for long" in text
    assert "1 account without data" in text


def test_a_session_that_has_just_gone_dark_is_listed_apart() -> None:
    accounts = Accounts()
    dark = session(1, name="dark", last_seen=(START - 180) * 1000, is_healthy=False, issues=("stale words",))
    text = page(accounts, polled(accounts, FakeClient([dark, session(2)])))
    _, ended = text.split("<h2>Ended in the last 15m</h2>")
    assert cells(ended, "Stream") == ["dark"]
    assert cells(ended, "Last media") == ["3m ago"]
    assert '<span class="good">None.</span>' in text
    assert "stale words" not in text


def test_of_a_stream_that_is_live_again_the_end_says_so() -> None:
    accounts = Accounts()
    before = session(1, name="main", parent_id="p", last_seen=(START - 180) * 1000)
    alone = page(accounts, polled(accounts, FakeClient([before])))
    assert cells(alone, "Stream") == ["main"]
    again = page(accounts, polled(accounts, FakeClient([before, session(2, name="main", parent_id="p")])))
    assert cells(again, "Stream") == ["mainlive again in another session"]


def test_a_session_that_waits_for_its_first_media_is_listed_apart() -> None:
    accounts = Accounts()
    waiting = session(1, name="waiting", last_seen=0.0, created_at=(START - 1200) * 1000)
    text = page(accounts, polled(accounts, FakeClient([waiting])))
    _, pending = text.split("<h2>Created over 3m ago, no media yet</h2>")
    assert cells(pending, "Stream") == ["waiting"]
    assert cells(pending, "Started") == ["20m ago"]
    assert cells(pending, "Last media") == ["never"]


def test_lists_without_sessions_are_left_out() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1)])))
    assert "Ended in" not in text
    assert "no media yet" not in text


def test_of_many_that_ended_some_are_listed_and_the_rest_is_told() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(n, last_seen=(START - 100) * 1000) for n in range(25)])))
    assert len(cells(text, "Stream")) == 20
    assert "<p>5 more are not listed here.</p>" in text


def test_what_livepeer_says_is_left_out_where_texts_are_not_wanted() -> None:
    accounts = Accounts()
    sick = [troubled(1, issues=("secret words", "more")), troubled(2, issues=("secret words",)), troubled(3)]
    poller = polled(accounts, FakeClient(sick))
    assert cells(page(accounts, poller), "Livepeer says") == ["secret words; more", "secret words", "nothing"]
    hidden = page(accounts, poller, issue_texts=False)
    assert cells(hidden, "Livepeer says") == ["2 issues", "1 issue", "nothing"]
    assert "secret words" not in hidden


@pytest.mark.parametrize("wanted", [True, False])
@in_loop
async def test_the_program_shows_what_livepeer_says_as_it_is_set(tmp_path: Path, wanted: bool) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    async with serving(Upstream([live(1, isHealthy=False, issues=["secret words"])])) as url:
        accounts = [{"name": "default", "api_key_file": str(key), "base_url": url}]
        environment = Environment(time.time, time.monotonic, jitter=lambda: 0.5, redact=lambda _: None)
        app = App(Settings(accounts=accounts, issue_texts=wanted), environment)
        await app.start()
        while "default" not in (account_pages := app.board.account_pages()) or not account_pages["default"].data:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        text = app.landing()
        await app.stop()
    assert "unhealthy" in text
    assert ("secret words" in text) == wanted


def test_issues_are_believed_only_while_a_session_is_active() -> None:
    accounts = Accounts()
    failed = session(1, last_seen=0.0, issues=("stale words",), record=True, recording_status="failed")
    ended = session(2, last_seen=(START - 3000) * 1000, issues=("stale words",), record=True, recording_status="failed")
    text = page(accounts, polled(accounts, FakeClient([failed, ended])))
    assert text.count(">recording failed<") == 2
    assert "stale words" not in text


def test_every_cell_has_the_name_of_its_column_for_narrow_screens() -> None:
    accounts = Accounts()
    client = FakeClient([troubled(1, issues=("x",)), session(2, last_seen=(START - 180) * 1000)])
    text = page(accounts, polled(accounts, client))
    found = Reader(text)
    labels = [value for name, value in found.attributes if name == "data-label"]
    assert labels == found.heads
    assert "attr(data-label)" in text


def test_it_has_no_scripts() -> None:
    accounts = Accounts()
    assert "script" not in Reader(page(accounts, polled(accounts, FakeClient([troubled(1)])))).tags


def test_one_failing_account_does_not_hide_another() -> None:
    accounts = Accounts()
    failing = polled(accounts, FakeClient(error=ServerError(500)), "bad")
    text = page(accounts, failing, polled(accounts, FakeClient([troubled(1, name="visible")]), "good"))
    assert "visible" in text
    assert "failing<" in text


def test_rates_are_in_bits_as_operators_think() -> None:
    accounts = Accounts()
    text = page(accounts, polled(accounts, FakeClient([session(1, ingest_rate=500_000.0, outgoing_rate=1.5e9)])))
    assert "4 Mbit/s in" in text
    assert "12 Gbit/s out" in text


def test_ages_are_in_words_and_never_negative() -> None:
    accounts = Accounts()
    ahead = troubled(1, last_seen=(START + 30) * 1000, created_at=(START - 7200) * 1000)
    text = page(accounts, polled(accounts, FakeClient([ahead])))
    assert cells(text, "Started") == ["2h ago"]
    assert cells(text, "Last media") == ["0s ago"]


def test_it_renews_itself_no_faster_than_the_polls() -> None:
    accounts = Accounts()
    text = page(
        accounts,
        accounts.poller(FakeClient(), "slow", interval=60.0),
        accounts.poller(FakeClient(), "slower", interval=90.0),
    )
    assert '<meta http-equiv="refresh" content="60">' in text


def test_it_holds_nothing_that_lets_anyone_watch() -> None:
    accounts = Accounts()
    secret = troubled(1, playback_id="watch-me", recording_url="https://x.invalid/r", mp4_url="https://x.invalid/m")
    text = page(accounts, polled(accounts, FakeClient([secret])))
    assert "watch-me" not in text
    assert "x.invalid" not in text


@pytest.mark.untraced
@settings(max_examples=60)
@given(sessions=some_sessions, account=st.sampled_from(["default", "<b>bold</b>", '"&amp;"', "{now}"]))
def test_no_text_from_outside_becomes_markup(sessions: list[Session], account: str) -> None:
    accounts = Accounts()
    calm = Accounts()
    markup = '<script>alert("x")</script>'
    nasty = [
        troubled(number, name=markup, issues=(markup, *(each.issues or ()))) for number, each in enumerate(sessions)
    ]
    plain = [troubled(number, name="n", issues=("i",)) for number, _ in enumerate(sessions)]
    found = Reader(page(accounts, polled(accounts, FakeClient(nasty), account)))
    expected = Reader(page(calm, polled(calm, FakeClient(plain), "default")))
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes
    assert account in found.text
