"""The lists of sessions on the status page; each is bounded, and followed by the number of sessions left out."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from exporter.metrics.catalogue import MAX_ISSUE, MAX_ISSUES, MAX_NAME
from exporter.pages.account_status import AccountStatus
from exporter.pages.html import BREAK, Html, Node, join, tag
from exporter.pages.tables import Column, table
from exporter.pages.units import bit_rate, clock_time, span
from exporter.sessions.attention import RECENT_END, SLOW_START, Problems
from exporter.sessions.problem import PROBLEM_KINDS, Kind, Problem
from exporter.sessions.session import MAX_ID
from exporter.sessions.snapshot import health
from exporter.sessions.stream_life import MAX_RECENT_EVENTS
from exporter.text import clean

Fold = Literal["open", "closed"]
"""Whether the list of live sessions is unfolded."""

OPEN_FOLD: Final = "live"
"""The parameter of the status page's query with which the fold is open, also after the page has reloaded itself."""


def count_of(problems: Problems, kind: Kind) -> str:
    """Return the number of sessions with a kind of problem as text; empty if there are none."""
    count = problems.counts.get(kind, 0)
    return f"{count} {_COUNTED[kind]}" if count else ""


def problem_list(problems: Problems, accounts: Sequence[AccountStatus], *, issue_texts: bool) -> Html | None:
    """Return the sessions that need attention.

    Args:
        problems: of all accounts.
        accounts: without problems, it depends on them whether that is known.
        issue_texts: whether the texts of issues are shown, or their number alone.
    """
    if not problems.count:
        if all(each.current for each in accounts):
            return tag("p", tag("span", "None.", class_="good"))
        return tag("p", "None in the available data.") if any(each.data for each in accounts) else None
    rows = problems.worst
    more = problems.count - len(rows)
    totals = ", ".join(filter(None, (count_of(problems, kind) for kind in PROBLEM_KINDS)))
    note = tag("p", f"In all {totals}; {more} more are not listed.") if more else None
    return join((note, table(_PROBLEM_COLUMNS, (_problem_cells(each, issue_texts=issue_texts) for each in rows))))


def other_lists(problems: Problems, fold: Fold) -> Html:
    """Return the streams and sessions that have changed recently, which is not a problem by itself, and live ones."""
    events = (_events(problems, kind, title) for kind, title in _EVENTS.items())
    return join((reconnecting_list(problems), *events, live_list(problems, fold)))


def reconnecting_list(problems: Problems) -> Html | None:
    """Return the streams that have reconnected in the last hour, the most often first."""
    rows = problems.listed.get(Kind.RECONNECTING, ())
    if not rows:
        return None
    more = problems.counts[Kind.RECONNECTING] - len(rows)
    note = tag("p", f"{more} more are not listed.") if more else None
    return join((tag("h2", "Reconnecting streams"), note, table(_RECONNECTING_COLUMNS, map(_reconnecting_cells, rows))))


def live_list(problems: Problems, fold: Fold) -> Html | None:
    """Return the live sessions behind a fold, by account and name."""
    count, latest = problems.counts.get(Kind.LIVE, 0), problems.listed.get(Kind.LIVE, ())
    if not latest:
        return None
    more = count - len(latest)
    rows = sorted(latest, key=lambda each: (each.account, each.session.name or "", each.session.id))
    query, text = ("", "Fold this list") if fold == "open" else (OPEN_FOLD, "Keep this list open when the page reloads")
    return tag(
        "details",
        tag("summary", "1 live session" if count == 1 else f"All {count} live sessions"),
        tag("p", tag("a", text, href=f"?{query}")),
        tag("p", f"These were created last; {more} more are not listed.") if more else None,
        table(_LIVE_COLUMNS, map(_live_cells, rows)),
        **({"open": ""} if fold == "open" else {}),
    )


def _reconnecting_cells(problem: Problem) -> list[Node]:
    count, last = problem.history.reconnects, problem.history.last_reconnect
    often = "once" if count == 1 else f"{_number(count)} times"
    when = join((", last " if count > 1 else ", ", clock_time(last.at, last.ago))) if last else None
    parent = clean(problem.session.parent_id or "", MAX_ID)
    return [
        _stream(problem),
        join((f"reconnected {often} in the last hour", when)),
        tag("span", "live", class_="good") if problem.active else tag("span", "not live", class_="bad"),
        tag("small", join((problem.account, parent), BREAK)),
    ]


def _problem_cells(problem: Problem, *, issue_texts: bool) -> list[Node]:
    return [
        _stream(problem),
        join((_problem(problem), _episodes(problem)), BREAK),
        _issues(problem, texts=issue_texts) if problem.active else None,
        *_times(problem),
        _ingest(problem),
        _ids(problem),
    ]


def _live_cells(problem: Problem) -> list[Node]:
    return [
        _stream(problem),
        join((_health(problem), _episodes(problem)), BREAK),
        *_times(problem),
        _ingest(problem),
        _ids(problem),
    ]


def _problem(problem: Problem) -> Html:
    if problem.kind is Kind.UNHEALTHY:
        return _health(problem)
    return tag("span", _PROBLEMS[problem.kind], class_="bad")


def _health(problem: Problem) -> Html:
    """Return the health of an active session, and since when it has it."""
    name = health(problem.session)
    verdict = tag("span", name, class_={"healthy": "good", "unhealthy": "bad"}.get(name, "dim"))
    since = problem.history.since
    if since is None:
        return verdict
    return join((verdict, BREAK, "since ", clock_time(since.at, since.ago), f" ({span(since.ago)})"))


def _episodes(problem: Problem) -> Html | None:
    """Return how often the stream of an active session became unhealthy."""
    count = problem.history.episodes
    if not count or not problem.active:
        return None
    episodes = f"{'' if problem.session.is_healthy is False else 'unhealthy '}{'episode' if count == 1 else 'episodes'}"
    return tag("small", f"{_number(count)} {episodes} in the last hour")


def _number(count: int) -> str:
    return f"at least {count}" if count >= MAX_RECENT_EVENTS else str(count)


def _ingest(problem: Problem) -> str | None:
    ingest = problem.session.ingest_rate if problem.active else None
    return None if ingest is None else bit_rate(ingest)


def _issues(problem: Problem, *, texts: bool) -> Node:
    issues = problem.session.issues or ()
    if not issues:
        return tag("span", "none", class_="dim")
    if not texts:
        return "1 issue" if len(issues) == 1 else f"{len(issues)} issues"
    return "; ".join(clean(text, MAX_ISSUE) for text in issues[:MAX_ISSUES])


def _events(problems: Problems, kind: Kind, title: str) -> Html | None:
    rows = problems.listed.get(kind, ())
    if not rows:
        return None
    more = problems.counts[kind] - len(rows)
    note = tag("p", f"{more} more are not listed.") if more else None
    cells = ((_stream(each), *_times(each), _ids(each)) for each in rows)
    return join((tag("h2", title), note, table(_EVENT_COLUMNS, cells)))


def _stream(problem: Problem) -> Html:
    name: Node = clean(problem.session.name or "", MAX_NAME) or tag("i", "no name")
    return join((name, tag("small", "continued in another session") if problem.resumed else None), BREAK)


def _times(problem: Problem) -> tuple[str, str]:
    created = "" if problem.created_ago is None else f"{span(problem.created_ago)} ago"
    return created, "never" if problem.seen_ago is None else f"{span(problem.seen_ago)} ago"


def _ids(problem: Problem) -> Html:
    parent = clean(problem.session.parent_id or "", MAX_ID)
    return tag("small", join((problem.account, parent, problem.session.id), BREAK))


_IDS: Final[Column] = ("Account, stream, session", "ids")
_STREAM: Final[Column] = ("Stream", "text")
_TIMES: Final[tuple[Column, Column]] = (("Created", ""), ("Last media", ""))
_INGEST: Final[Column] = ("Ingest", "")
_PROBLEM_COLUMNS: Final[Sequence[Column]] = (
    *(_STREAM, ("Problem", ""), ("Issues reported by Livepeer", "text")),
    *(*_TIMES, _INGEST, _IDS),
)
_EVENT_COLUMNS: Final[Sequence[Column]] = (_STREAM, *_TIMES, _IDS)
_LIVE_COLUMNS: Final[Sequence[Column]] = (_STREAM, ("Health", ""), *_TIMES, _INGEST, _IDS)

_RECONNECTING_COLUMNS: Final[Sequence[Column]] = (
    *(_STREAM, ("Reconnects", "text"), ("Now", "")),
    ("Account, stream", "ids"),
)

_PROBLEMS: Final[Mapping[Kind, str]] = {
    Kind.ISSUES: "has issues",
    Kind.NO_INGEST: "active without ingest",
    Kind.RECORDING_FAILED: "recording failed",
}
_EVENTS: Final[Mapping[Kind, str]] = {
    Kind.ENDED: f"Ended in the last {span(RECENT_END)}",
    Kind.WAITING: f"Created over {span(SLOW_START)} ago, no media yet",
}
_COUNTED: Final[Mapping[Kind, str]] = {
    Kind.UNHEALTHY: "unhealthy",
    Kind.ISSUES: "with issues",
    Kind.NO_INGEST: "active without ingest",
    Kind.RECORDING_FAILED: "with a failed recording",
}
