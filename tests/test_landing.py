"""The page for people: escaped, bounded, honest about failures and age."""

import asyncio
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import RateLimited, ServerFailed
from exporter.landing import render
from exporter.poller import Poller
from exporter.session import Session
from exporter.trouble import MOST
from tests.support.polled import Office, Shelf, session, some_sessions
from tests.support.rows import START


def page(office: Office, *pollers: Poller) -> str:
    accounts = [(poller.plan, poller.status) for poller in pollers]
    return render(accounts, office.board.panels(), now=office.time.now(), metrics_path="/metrics")


def polled(office: Office, shelf: Shelf, account: str = "default") -> Poller:
    poller = office.poller(shelf, account)
    asyncio.run(poller.poll())
    return poller


class Reader(HTMLParser):
    """Gathers the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def troubled(number: int, **changes: object) -> Session:
    return session(number, **({"is_healthy": False} | changes))


def test_before_the_first_poll_it_says_that_there_is_no_data() -> None:
    office = Office()
    text = page(office, office.poller(Shelf()))
    assert "starting" in text
    assert "There is no data that could be trusted" in text


def test_when_all_is_well_nothing_needs_attention() -> None:
    office = Office()
    text = page(office, polled(office, Shelf([session(1), session(2)])))
    assert ">up<" in text
    assert "2 active" in text
    assert "None." in text


def test_the_worst_come_first() -> None:
    office = Office()
    sessions = [
        session(1, name="silent", ingest_rate=0.0),
        session(2, name="failed", record=True, recording_status="failed"),
        session(3, name="issues", issues=("something",)),
        session(4, name="sick", is_healthy=False),
    ]
    text = page(office, polled(office, Shelf(sessions)))
    places = [text.index(f">{name}<") for name in ("sick", "issues", "silent", "failed")]
    assert places == sorted(places)


def test_at_most_50_are_listed_and_the_rest_is_told() -> None:
    office = Office()
    text = page(office, polled(office, Shelf([troubled(number) for number in range(MOST + 7)])))
    assert text.count(">unhealthy<") == MOST == 50
    assert "7 more are not listed here." in text


def test_the_troubles_of_all_accounts_are_in_one_list() -> None:
    office = Office()
    pollers = [polled(office, Shelf([troubled(number) for number in range(40)]), name) for name in ("a", "b")]
    text = page(office, *pollers)
    assert text.count(">unhealthy<") == 50
    assert "30 more are not listed here." in text


def test_a_failing_account_shows_why_how_often_and_when_it_is_tried_again() -> None:
    office, shelf = Office(), Shelf([troubled(1, name="still shown")])
    poller = polled(office, shelf)
    shelf.error = RateLimited(429, retry_after=600.0)
    asyncio.run(poller.poll())
    office.time.advance(60)
    text = page(office, poller)
    assert "failing, shows its last data" in text
    assert "rate_limited: the API asks us to slow down (HTTP 429); 1 in a row, next poll in 9m" in text
    assert "1m ago" in text
    assert "still shown" in text


def test_an_account_whose_data_is_too_old_shows_none() -> None:
    office, shelf = Office(), Shelf([troubled(1, name="too old")])
    poller = polled(office, shelf)
    shelf.error = ServerFailed(500)
    office.time.advance(301)
    asyncio.run(poller.poll())
    text = page(office, poller)
    assert "failing<" in text
    assert "no data" in text
    assert "too old" not in text


def test_one_failing_account_does_not_hide_another() -> None:
    office = Office()
    failing = polled(office, Shelf(error=ServerFailed(500)), "bad")
    text = page(office, failing, polled(office, Shelf([troubled(1, name="visible")]), "good"))
    assert "visible" in text
    assert "failing<" in text


def test_rates_are_in_bits_as_operators_think() -> None:
    office = Office()
    text = page(office, polled(office, Shelf([session(1, ingest_rate=500_000.0, outgoing_rate=1.5e9)])))
    assert "4 Mbit/s in" in text
    assert "12 Gbit/s out" in text


def test_ages_are_in_words_and_never_negative() -> None:
    office = Office()
    ahead = troubled(1, last_seen=(START + 30) * 1000, created_at=(START - 7200) * 1000)
    text = page(office, polled(office, Shelf([ahead])))
    assert "<td>2h ago</td><td>0s ago</td>" in text


def test_it_renews_itself_no_faster_than_the_polls() -> None:
    office = Office()
    text = page(office, office.poller(Shelf(), "slow", interval=60.0), office.poller(Shelf(), "slower", interval=90.0))
    assert '<meta http-equiv="refresh" content="60">' in text


def test_it_holds_nothing_that_lets_anyone_watch() -> None:
    office = Office()
    secret = troubled(1, playback_id="watch-me", recording_url="https://x.invalid/r", mp4_url="https://x.invalid/m")
    text = page(office, polled(office, Shelf([secret])))
    assert "watch-me" not in text
    assert "x.invalid" not in text


@settings(max_examples=60)
@given(sessions=some_sessions, account=st.sampled_from(["default", "<b>bold</b>", '"&amp;"', "{now}"]))
def test_no_text_from_outside_becomes_markup(sessions: list[Session], account: str) -> None:
    office = Office()
    calm = Office()
    markup = '<script>alert("x")</script>'
    nasty = [
        troubled(number, name=markup, issues=(markup, *(each.issues or ()))) for number, each in enumerate(sessions)
    ]
    plain = [troubled(number, name="n", issues=("i",)) for number, _ in enumerate(sessions)]
    found = Reader(page(office, polled(office, Shelf(nasty), account)))
    expected = Reader(page(calm, polled(calm, Shelf(plain), "default")))
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes
    assert account in found.text
