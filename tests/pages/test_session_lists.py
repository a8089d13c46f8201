"""The lists of sessions on the status page: since when, how often, and how many are left out."""

import re
from html import unescape
from typing import Any

import pytest

from exporter.pages.html import Html
from exporter.pages.session_lists import live_list, problem_list, reconnecting_list
from exporter.sessions.attention import Problems
from exporter.sessions.history import Moment, SessionHistory
from exporter.sessions.problem import Kind, Problem
from exporter.sessions.stream_life import MAX_RECENT_EVENTS
from tests.support.accounts import session
from tests.support.rows import START

SINCE = Moment(START - 840, 840)
"""2025-10-09 08:39:20 UTC, 14 minutes ago."""


def problems(kind: Kind, history: SessionHistory, count: int = 1, *, active: bool = True, **fields: Any) -> Problems:
    problem = Problem(kind, "main", session(1, **fields), active, 600, 10, history=history)
    return Problems({kind: (problem,)}, {kind: count})


def text(html: Html | None) -> str:
    """Return the text of a list, with a space for each tag."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", str(html))).split())


def unhealthy(history: SessionHistory) -> str:
    return text(problem_list(problems(Kind.UNHEALTHY, history, is_healthy=False), [], issue_texts=True))


@pytest.mark.parametrize(
    ("history", "shown"),
    [
        (SessionHistory(SINCE, episodes=3), "unhealthy since 08:39 (14m) 3 episodes in the last hour none"),
        (SessionHistory(SINCE, episodes=1), "unhealthy since 08:39 (14m) 1 episode in the last hour none"),
        (SessionHistory(SINCE), "unhealthy since 08:39 (14m) none"),
        (SessionHistory(), "unhealthy none"),
    ],
)
def test_an_unhealthy_session_shows_since_when_and_how_often(history: SessionHistory, shown: str) -> None:
    assert shown in unhealthy(history)


def test_the_number_of_remembered_episodes_is_limited() -> None:
    assert f"at least {MAX_RECENT_EVENTS} episodes" in unhealthy(SessionHistory(SINCE, episodes=MAX_RECENT_EVENTS))


def test_the_exact_time_is_machine_readable() -> None:
    html = str(problem_list(problems(Kind.UNHEALTHY, SessionHistory(SINCE), is_healthy=False), [], issue_texts=True))
    assert '<time datetime="2025-10-09T08:39:20Z">08:39</time>' in html


def test_a_time_of_another_day_has_its_date() -> None:
    day = 86_400.0
    assert "since 2025-10-08 08:53 (1d)" in unhealthy(SessionHistory(Moment(START - day, day)))


@pytest.mark.parametrize("kind", [Kind.ISSUES, Kind.NO_INGEST])
def test_other_problems_of_active_sessions_show_unhealthy_episodes(kind: Kind) -> None:
    shown = text(problem_list(problems(kind, SessionHistory(SINCE, episodes=2)), [], issue_texts=True))
    assert "2 unhealthy episodes in the last hour" in shown
    assert "since" not in shown


def test_a_failed_recording_of_an_ended_session_shows_no_episodes() -> None:
    listed = problems(Kind.RECORDING_FAILED, SessionHistory(episodes=2), active=False)
    assert "episodes" not in text(problem_list(listed, [], issue_texts=True))


def test_a_live_session_shows_since_when_it_has_its_health() -> None:
    assert "healthy since 08:39 (14m)" in text(live_list(problems(Kind.LIVE, SessionHistory(SINCE)), "closed"))


@pytest.mark.parametrize(
    ("count", "active", "shown"),
    [
        (1, True, "reconnected once in the last hour, 08:39 live main parent-1"),
        (4, False, "reconnected 4 times in the last hour, last 08:39 not live main parent-1"),
        (MAX_RECENT_EVENTS, True, "reconnected at least 100 times in the last hour, last 08:39 live main parent-1"),
    ],
)
def test_a_reconnecting_stream_is_one_line(count: int, active: bool, shown: str) -> None:
    listed = problems(Kind.RECONNECTING, SessionHistory(reconnects=count, last_reconnect=SINCE), active=active)
    html = reconnecting_list(listed)
    assert text(html).endswith(f"stream 1 {shown}")
    assert str(html).count("<tr>") == 2


def test_reconnecting_streams_that_are_not_listed_are_counted() -> None:
    listed = problems(Kind.RECONNECTING, SessionHistory(reconnects=1, last_reconnect=SINCE), count=8)
    assert "7 more are not listed." in text(reconnecting_list(listed))
    assert reconnecting_list(Problems()) is None


def test_the_fold_stays_open_with_a_query() -> None:
    listed = problems(Kind.LIVE, SessionHistory())
    closed, opened = str(live_list(listed, "closed")), str(live_list(listed, "open"))
    assert closed.startswith("<details><summary>")
    assert '<a href="?live">Keep this list open when the page reloads</a>' in closed
    assert opened.startswith('<details open=""><summary>')
    assert '<a href="?">Fold this list</a>' in opened
