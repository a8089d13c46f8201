"""The status page ``/``: each account's polling and the age of its data, and the sessions that need attention.

Plain HTML without scripts. All text is cleaned and escaped, and no key, URL or playback id is on the page.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final

from exporter.metrics.page_store import AccountPage
from exporter.pages import account_status
from exporter.pages.account_status import AccountStatus
from exporter.pages.html import Html, join, tag
from exporter.pages.session_lists import Fold, count_of, other_lists, problem_list
from exporter.pages.status_style import STYLE
from exporter.pages.tables import Column, table
from exporter.pages.units import moment, span
from exporter.polling.plan import Plan, Status
from exporter.sessions.attention import Problems
from exporter.sessions.problem import PROBLEM_KINDS
from exporter.sessions.session import MAX_ID
from exporter.text import clean
from exporter.version import VERSION

MAX_NAMED_ACCOUNTS: Final = 20
"""Accounts that a sentence names."""

MAX_LISTED_STREAMS: Final = 50
"""Configured streams without sessions that are listed."""

_STREAM_COLUMNS: Final[Sequence[Column]] = (("Stream id", "text"), ("Sessions", ""), ("Account", "text"))


def render(
    accounts: Sequence[tuple[Plan, Status]],
    account_pages: Mapping[str, AccountPage],
    *,
    now: float,
    metrics_path: str,
    issue_texts: bool = True,
    fold: Fold = "closed",
) -> str:
    """Return the page.

    Args:
        accounts: the plan and the status of each account.
        account_pages: what each account shows, without stale data.
        now: Unix seconds of our clock.
        metrics_path: the path of the metrics.
        issue_texts: whether the texts of issues are shown, or their number alone.
        fold: whether the list of live sessions is unfolded.
    """
    shown = _shown(accounts, account_pages, now)
    problems = reduce(Problems.merged, (each.problems() for each in shown), Problems())
    summary = _summary(problems, shown)
    refresh = max(5, round(min((plan.interval for plan, _ in accounts), default=30)))
    body = tag(
        "body",
        tag("h1", "Livepeer sessions"),
        _headline(summary, now, metrics_path),
        tag("h2", "Accounts"),
        table(account_status.COLUMNS, (each.cells() for each in shown)),
        tag("h2", "Sessions that need attention"),
        _data_notes(shown),
        problem_list(problems, shown, issue_texts=issue_texts),
        _absent_streams(shown),
        other_lists(problems, fold),
        _footer(),
    )
    return f"<!doctype html>\n{tag('html', _head(summary, refresh), body, lang='en')}\n"


def _shown(
    accounts: Sequence[tuple[Plan, Status]], account_pages: Mapping[str, AccountPage], now: float
) -> list[AccountStatus]:
    parts = [account_pages.get(plan.account) for plan, _ in accounts]
    return [
        AccountStatus(plan, status, part.data if part else None, now)
        for (plan, status), part in zip(accounts, parts, strict=True)
    ]


def _head(summary: str, refresh: int) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=str(refresh)),
        tag("title", f"{summary} – Livepeer sessions" if summary else "Livepeer sessions"),
        tag("style", Html(STYLE)),
    )


def _headline(summary: str, now: float, metrics_path: str) -> Html:
    verdict = tag("span", summary or "nothing needs attention", class_="bad" if summary else "good")
    return tag("p", f"As of {moment(now)}: ", verdict, ". ", tag("a", "Metrics for Prometheus", href=metrics_path))


def _footer() -> Html:
    probes = join((tag("a", path, href=path) for path in ("/livez", "/readyz")), ", ")
    about = f"livepeer-session-exporter {VERSION}. Values are polled and cached; this page reloads itself. Probes: "
    return tag("footer", tag("p", about, probes, "."))


def _summary(problems: Problems, accounts: Sequence[AccountStatus]) -> str:
    failing = sum(each.failing for each in accounts)
    dark = sum(not each.data and not each.failing for each in accounts)
    counts = [
        f"{count} {'account' if count == 1 else 'accounts'} {words}"
        for count, words in ((failing, "failing"), (dark, "without data"))
        if count
    ]
    absent = sum(len(each.absent_streams) for each in accounts)
    streams = f"{absent} configured {'stream' if absent == 1 else 'streams'} without sessions" if absent else ""
    first, *others = [count_of(problems, kind) for kind in PROBLEM_KINDS]
    return ", ".join(each for each in (first, *counts, *others, streams) if each)


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
            table(_STREAM_COLUMNS, rows),
        )
    )
