"""The status page ``/``: each account's polling and the age of its data, and the sessions that need attention.

Plain HTML without scripts. All text is cleaned and escaped, and no key, URL or playback id is on the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Final

from exporter.metrics.catalogue import MAX_ISSUE, MAX_ISSUES, MAX_NAME
from exporter.metrics.page_store import AccountPage
from exporter.pages import account_status
from exporter.pages.account_status import AccountStatus
from exporter.pages.html import BREAK, Html, Node, join, tag
from exporter.pages.status_style import STYLE
from exporter.pages.units import bit_rate, moment, span
from exporter.polling.plan import Plan, Status
from exporter.sessions.attention import PROBLEM_KINDS, RECENT_END, SLOW_START, Kind, Problem, Problems
from exporter.sessions.session import MAX_ID
from exporter.text import clean
from exporter.version import VERSION

MAX_NAMED_ACCOUNTS: Final = 20
"""Accounts that a sentence names."""

MAX_LISTED_STREAMS: Final = 50
"""Configured streams without sessions that are listed."""


def render(
    accounts: Sequence[tuple[Plan, Status]],
    account_pages: Mapping[str, AccountPage],
    *,
    now: float,
    metrics_path: str,
    issue_texts: bool = True,
) -> str:
    """Return the page.

    Args:
        accounts: the plan and the status of each account.
        account_pages: what each account shows, without stale data.
        now: Unix seconds of our clock.
        metrics_path: the path of the metrics.
        issue_texts: whether the texts of issues are shown, or their number alone.
    """
    parts = [account_pages.get(plan.account) for plan, _ in accounts]
    shown = [
        AccountStatus(plan, status, part.data if part else None, now)
        for (plan, status), part in zip(accounts, parts, strict=True)
    ]
    problems = reduce(Problems.merged, (each.problems() for each in shown), Problems())
    summary = ", ".join(_summary(problems, shown))
    refresh = max(5, round(min((plan.interval for plan, _ in accounts), default=30)))
    head = _head(f"{summary} – Livepeer sessions" if summary else "Livepeer sessions", refresh)
    body = tag(
        "body",
        tag("h1", "Livepeer sessions"),
        _headline(summary, now, metrics_path),
        tag("h2", "Accounts"),
        _table(account_status.COLUMNS, (each.cells() for each in shown)),
        tag("h2", "Sessions that need attention"),
        _data_notes(shown),
        _problems(problems, shown, issue_texts=issue_texts),
        _absent_streams(shown),
        *(_events(problems, kind, title) for kind, title in _EVENTS.items()),
        _footer(),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _head(title: str, refresh: int) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=str(refresh)),
        tag("title", title),
        tag("style", Html(STYLE)),
    )


def _headline(summary: str, now: float, metrics_path: str) -> Html:
    verdict = tag("span", summary or "nothing needs attention", class_="bad" if summary else "good")
    return tag("p", f"As of {moment(now)}: ", verdict, ". ", tag("a", "Metrics for Prometheus", href=metrics_path))


def _footer() -> Html:
    probes = join((tag("a", path, href=path) for path in ("/livez", "/readyz")), ", ")
    about = f"livepeer-session-exporter {VERSION}. Values are polled and cached; this page reloads itself. Probes: "
    return tag("footer", tag("p", about, probes, "."))


def _summary(problems: Problems, accounts: Sequence[AccountStatus]) -> list[str]:
    failing = sum(each.failing for each in accounts)
    dark = sum(not each.data and not each.failing for each in accounts)
    counts = [
        f"{count} {'account' if count == 1 else 'accounts'} {words}"
        for count, words in ((failing, "failing"), (dark, "without data"))
        if count
    ]
    absent = sum(len(each.absent_streams) for each in accounts)
    streams = f"{absent} configured {'stream' if absent == 1 else 'streams'} without sessions" if absent else ""
    first, *others = [_count(problems, kind) for kind in PROBLEM_KINDS]
    return [each for each in (first, *counts, *others, streams) if each]


def _count(problems: Problems, kind: Kind) -> str:
    count = problems.counts.get(kind, 0)
    return f"{count} {_COUNTED[kind]}" if count else ""


def _data_notes(accounts: Sequence[AccountStatus]) -> Html:
    """Return notes on the accounts whose sessions are unknown, or known from an earlier poll only."""
    dark = [each.plan.account for each in accounts if not each.data]
    old = [each.plan.account for each in accounts if each.data and each.failing]
    return join(
        (
            tag("p", tag("span", f"No data for {_names(dark)}", class_="bad"), ": the sessions are unknown.")
            if dark
            else None,
            tag("p", f"The sessions of {_names(old)} are shown as of the last successful poll.") if old else None,
        )
    )


def _names(accounts: Sequence[str]) -> str:
    named = ", ".join(accounts[:MAX_NAMED_ACCOUNTS])
    more = len(accounts) - MAX_NAMED_ACCOUNTS
    return f"{named} and {more} more" if more > 0 else named


def _absent_streams(accounts: Sequence[AccountStatus]) -> Html | None:
    """Return a list of the configured streams without sessions: their ids may be wrong (V12)."""
    streams = [(each.plan, stream) for each in accounts for stream in each.absent_streams]
    if not streams:
        return None
    more = len(streams) - MAX_LISTED_STREAMS
    rows = (
        (clean(stream, MAX_ID), f"none in {span(plan.windows.session)}", plan.account)
        for plan, stream in streams[:MAX_LISTED_STREAMS]
    )
    return join(
        (
            tag("h2", "Configured streams without sessions"),
            tag("p", "If a stream has been live in this time, its id in ", tag("code", "stream_ids"), " is wrong."),
            tag("p", f"{more} more are not listed.") if more > 0 else None,
            _table(_STREAM_COLUMNS, rows),
        )
    )


def _problems(problems: Problems, accounts: Sequence[AccountStatus], *, issue_texts: bool) -> Html | None:
    if not problems.count:
        if all(each.current for each in accounts):
            return tag("p", tag("span", "None.", class_="good"))
        return tag("p", "None in the available data.") if any(each.data for each in accounts) else None
    rows = problems.worst
    more = problems.count - len(rows)
    totals = ", ".join(filter(None, (_count(problems, kind) for kind in PROBLEM_KINDS)))
    note = tag("p", f"In all {totals}; {more} more are not listed.") if more else None
    return join((note, _table(_PROBLEM_COLUMNS, (_problem_cells(each, issue_texts=issue_texts) for each in rows))))


def _problem_cells(problem: Problem, *, issue_texts: bool) -> list[Node]:
    session = problem.session
    ingest = session.ingest_rate if problem.active else None
    return [
        _stream(problem),
        tag("span", _PROBLEMS[problem.kind], class_="bad"),
        _issues(problem, texts=issue_texts) if problem.active else None,
        *_times(problem),
        None if ingest is None else bit_rate(ingest),
        _ids(problem),
    ]


def _issues(problem: Problem, *, texts: bool) -> Node:
    issues = problem.session.issues or ()
    if not issues:
        return tag("span", "none", class_="dim")
    if not texts:
        return "1 issue" if len(issues) == 1 else f"{len(issues)} issues"
    return "; ".join(clean(text, MAX_ISSUE) for text in issues[:MAX_ISSUES])


def _events(problems: Problems, kind: Kind, title: str) -> Html | None:
    """Return a list of sessions that have changed recently, which is not a problem by itself."""
    rows = problems.listed.get(kind, ())
    if not rows:
        return None
    more = problems.counts[kind] - len(rows)
    note = tag("p", f"{more} more are not listed.") if more else None
    return join(
        (tag("h2", title), note, _table(_EVENT_COLUMNS, ((_stream(each), *_times(each), _ids(each)) for each in rows)))
    )


def _stream(problem: Problem) -> Html:
    name: Node = clean(problem.session.name or "", MAX_NAME) or tag("i", "no name")
    return join((name, tag("small", "live again in another session") if problem.resumed else None), BREAK)


def _times(problem: Problem) -> tuple[str, str]:
    created = "" if problem.created_ago is None else f"{span(problem.created_ago)} ago"
    return created, "never" if problem.seen_ago is None else f"{span(problem.seen_ago)} ago"


def _ids(problem: Problem) -> Html:
    parent = clean(problem.session.parent_id or "", MAX_ID)
    return tag("small", join((problem.account, parent, problem.session.id), BREAK))


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Iterable[Node]]) -> Html:
    """Return a table.

    Args:
        columns: the name of each, and the class of its cells: ``text`` and ``ids`` may wrap, others do not.
        rows: the cells of each.
    """
    head = tag("thead", tag("tr", *(tag("th", name) for name, _ in columns)))
    body = tag("tbody", *(tag("tr", *map(_cell, columns, cells)) for cells in rows))
    return tag("div", tag("table", head, body), class_="wide")


def _cell(column: tuple[str, str], content: Node) -> Html:
    """Return a cell; on a narrow screen the name of its column precedes it."""
    name, style = column
    return tag("td", tag("div", content), class_=style, data_label=name) if content and str(content) else tag("td")


_IDS: Final = ("Account, stream, session", "ids")
_STREAM: Final = ("Stream", "text")
_TIMES: Final = (("Created", ""), ("Last media", ""))
_PROBLEM_COLUMNS: Final = (
    *(_STREAM, ("Problem", ""), ("Issues reported by Livepeer", "text")),
    *(*_TIMES, ("Ingest", ""), _IDS),
)
_EVENT_COLUMNS: Final = (_STREAM, *_TIMES, _IDS)
_STREAM_COLUMNS: Final = (("Stream id", "text"), ("Sessions", ""), ("Account", "text"))

_PROBLEMS: Final[Mapping[Kind, str]] = {
    Kind.UNHEALTHY: "unhealthy",
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
