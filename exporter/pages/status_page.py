"""The page ``/`` for people: what is polled, how old the data is, how each account does, which sessions need help.

Plain HTML without scripts. Every text from outside is cleaned and escaped; no key, URL or playback id gets here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from html import escape
from typing import Final

from exporter.config.durations import format_duration
from exporter.metrics.catalogue import MAX_ISSUE, MAX_ISSUES, MAX_NAME
from exporter.metrics.page_store import AccountData, AccountPage
from exporter.pages.status_template import PAGE
from exporter.polling.plan import Plan, Status
from exporter.sessions.attention import PROBLEM_KINDS, RECENT_END, SLOW_START, Kind, Problem, Problems
from exporter.sessions.session import MAX_ID
from exporter.sessions.snapshot import HEALTH, STATES
from exporter.text import clean
from exporter.version import VERSION

MOST_NAMES: Final = 20
"""Accounts that a sentence names."""


def render(
    accounts: Sequence[tuple[Plan, Status]],
    account_pages: Mapping[str, AccountPage],
    *,
    now: float,
    metrics_path: str,
    issue_texts: bool = True,
) -> str:
    """The whole page.

    Args:
        accounts: how each account is polled, and how that goes.
        account_pages: what each account shows; an account whose data is too old has none.
        now: Unix seconds of our clock.
        metrics_path: where the page for Prometheus is.
        issue_texts: whether Livepeer's own words are shown; without them, how many issues there are.
    """
    refresh = max(5, round(min((plan.interval for plan, _ in accounts), default=30)))
    views = [_View(plan, status, account_pages.get(plan.account), now) for plan, status in accounts]
    problems = reduce(Problems.merged, (view.problems() for view in views), Problems())
    summary = ", ".join(_summary(problems, views))
    return PAGE.format(
        refresh=refresh,
        version=escape(VERSION),
        metrics=escape(metrics_path, quote=True),
        title=f"{summary} – Livepeer sessions" if summary else "Livepeer sessions",
        moment=_moment(now),
        summary=f'<span class="bad">{summary}</span>' if summary else _CALM,
        accounts=_table(_ACCOUNT, (view.cells() for view in views)),
        unknown=_unknown(views),
        problems=_attention(problems, views, issue_texts=issue_texts),
        ended=_news(problems, Kind.ENDED, f"Ended in the last {_span(RECENT_END)}"),
        waiting=_news(problems, Kind.WAITING, f"Created over {_span(SLOW_START)} ago, no media yet"),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """An account as it is seen at a moment."""

    plan: Plan
    status: Status
    account_page: AccountPage | None
    now: float

    @property
    def data(self) -> AccountData | None:
        return self.account_page.data if self.account_page else None

    @property
    def failing(self) -> bool:
        return self.status.failure is not None

    @property
    def age(self) -> float:
        """Seconds since the walk began that the data is from."""
        return max(0.0, self.now - self.data.began) if self.data else 0.0

    def problems(self) -> Problems:
        """As old as they are by now, and not as they were at the last good poll."""
        return self.data.problems.aged(self.age) if self.data else Problems()

    def cells(self) -> list[str]:
        totals = self.data.totals if self.data else None
        verdict, shade = self._verdict()
        return [
            escape(self.plan.account),
            f'<span class="{shade}">{verdict}</span>{self._failure()}',
            self._age(),
            _counts(totals.sessions, STATES) if totals else "",
            _counts(totals.health, HEALTH) if totals else "",
            f"{_bits(totals.ingest_rate)} in<br>{_bits(totals.outgoing_rate)} out" if totals else "",
            escape(format_duration(self.plan.interval)),
        ]

    def _verdict(self) -> tuple[str, str]:
        if self.failing:
            return ("failing, shows its last data", "bad") if self.data else ("failing", "bad")
        if self.data:
            return "up", "good"
        return ("starting", "dim") if self.status.succeeded is None else ("no poll has ended for long", "bad")

    def _age(self) -> str:
        if self.data:
            return f"{_span(self.age)} ago"
        if self.status.succeeded is None:
            return "no data yet"
        return f"gone: older than {escape(format_duration(self.plan.max_staleness))}"

    def _failure(self) -> str:
        if self.status.failure is None:
            return ""
        name, text = self.status.failure
        polls = "poll" if self.status.failures == 1 else "polls in a row"
        last, due = self.status.succeeded, self.status.next_poll or self.now
        good = "no good poll yet" if last is None else f"last good poll {_span(self.now - last)} ago, {_moment(last)}"
        how = f"{self.status.failures} failed {polls}, {good}; next poll in {_span(due - self.now)}"
        advice = f"<br>{_KEY_ADVICE}" if name == "auth" else ""
        return f"<br><small>{escape(name)}: {escape(text)}{advice}<br>{how}</small>"


def _summary(problems: Problems, views: Sequence[_View]) -> list[str]:
    failing = sum(view.failing for view in views)
    dark = sum(not view.data and not view.failing for view in views)
    accounts = [
        f"{count} {'account' if count == 1 else 'accounts'} {words}"
        for count, words in ((failing, "failing"), (dark, "without data"))
        if count
    ]
    first, *others = [_count(problems, kind) for kind in PROBLEM_KINDS]
    return [each for each in (first, *accounts, *others) if each]


def _count(problems: Problems, kind: Kind) -> str:
    count = problems.counts.get(kind, 0)
    return f"{count} {_TOTALS[kind]}" if count else ""


def _unknown(views: Sequence[_View]) -> str:
    """For which accounts nothing is known, or nothing new."""
    dark = [view.plan.account for view in views if not view.data]
    old = [view.plan.account for view in views if view.data and view.failing]
    said = ""
    if dark:
        said += f'<p><span class="bad">Nothing can be said about the sessions of {_names(dark)}</span>: no data.</p>'
    if old:
        said += f"<p>The sessions of {_names(old)} are shown as they were at the last good poll.</p>"
    return said


def _names(accounts: Sequence[str]) -> str:
    named = ", ".join(map(escape, accounts[:MOST_NAMES]))
    more = len(accounts) - MOST_NAMES
    return f"{named} and {more} more" if more > 0 else named


def _attention(problems: Problems, views: Sequence[_View], *, issue_texts: bool) -> str:
    if not problems.count:
        if all(view.data and not view.failing for view in views):
            return '<p><span class="good">None.</span></p>'
        return "<p>None in the data that is there.</p>" if any(view.data for view in views) else ""
    rows = problems.worst
    more = problems.count - len(rows)
    totals = ", ".join(filter(None, (_count(problems, kind) for kind in PROBLEM_KINDS)))
    cut = f"<p>In all {totals}; {more} more are not listed here.</p>" if more else ""
    return cut + _table(_TROUBLE, (_cells(each, issue_texts=issue_texts) for each in rows))


def _cells(problem: Problem, *, issue_texts: bool) -> list[str]:
    session = problem.session
    return [
        _stream(problem),
        f'<span class="bad">{_REASONS[problem.kind]}</span>',
        _issues(problem, texts=issue_texts) if problem.active else "",
        *_times(problem),
        _bits(session.ingest_rate) if problem.active and session.ingest_rate is not None else "",
        _ids(problem),
    ]


def _issues(problem: Problem, *, texts: bool) -> str:
    issues = problem.session.issues or ()
    if not issues:
        return '<span class="dim">nothing</span>'
    if not texts:
        return "1 issue" if len(issues) == 1 else f"{len(issues)} issues"
    return "; ".join(escape(clean(text, MAX_ISSUE)) for text in issues[:MAX_ISSUES])


def _news(problems: Problems, kind: Kind, title: str) -> str:
    """A list of sessions that are no trouble as far as anyone can tell; nothing where there are none."""
    rows = problems.listed.get(kind, ())
    if not rows:
        return ""
    more = problems.counts[kind] - len(rows)
    cut = f"<p>{more} more are not listed here.</p>" if more else ""
    return f"<h2>{title}</h2>{cut}" + _table(_NEWS, ((_stream(each), *_times(each), _ids(each)) for each in rows))


def _stream(problem: Problem) -> str:
    name = escape(clean(problem.session.name or "", MAX_NAME)) or "<i>no name</i>"
    return f"{name}<br><small>live again in another session</small>" if problem.resumed else name


def _times(problem: Problem) -> tuple[str, str]:
    started = "" if problem.created_ago is None else f"{_span(problem.created_ago)} ago"
    return started, "never" if problem.seen_ago is None else f"{_span(problem.seen_ago)} ago"


def _ids(problem: Problem) -> str:
    ids = (problem.account, clean(problem.session.parent_id or "", MAX_ID), problem.session.id)
    return f"<small>{'<br>'.join(escape(each) for each in ids if each)}</small>"


Columns = Sequence[tuple[str, str]]
"""The name of each column, and the class of its cells: ``text`` and ``ids`` may break lines, the others need not."""


def _table(columns: Columns, rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name, _ in columns)
    body = "".join(f"<tr>{''.join(map(_cell, columns, cells))}</tr>\n" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def _cell(column: tuple[str, str], text: str) -> str:
    """A cell; on a narrow screen the name of its column stands before it."""
    name, shape = column
    return f'<td class="{shape}" data-label="{name}"><div>{text}</div></td>' if text else "<td></td>"


def _counts(counts: Mapping[str, int], names: Sequence[str]) -> str:
    return "<br>".join(f"{counts[name]} {name}" for name in names)


def _span(seconds: float) -> str:
    return escape(format_duration(max(0, round(seconds))))


def _moment(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _bits(rate: float) -> str:
    bits = rate * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000:
            return f"{bits:.3g} {unit}"
        bits /= 1000
    return f"{bits:.3g} Tbit/s"


_IDS: Final = ("Account, stream, session", "ids")
_STREAM: Final = (("Stream", "text"),)
_TIMES: Final = (("Started", ""), ("Last media", ""))
_TROUBLE: Final = (*_STREAM, ("Trouble", ""), ("Livepeer says", "text"), *_TIMES, ("Ingest", ""), _IDS)
_NEWS: Final = (*_STREAM, *_TIMES, _IDS)
_ACCOUNT: Final = (
    *(("Account", "text"), ("State", "text"), ("Data from", ""), ("Sessions", ""), ("Health of the active", "")),
    *(("Rates", ""), ("Polled every", "")),
)

_REASONS: Final[Mapping[Kind, str]] = {
    Kind.UNHEALTHY: "unhealthy",
    Kind.ISSUES: "has issues",
    Kind.NO_INGEST: "active, but nothing arrives",
    Kind.RECORDING_FAILED: "recording failed",
}
_TOTALS: Final[Mapping[Kind, str]] = {
    Kind.UNHEALTHY: "unhealthy",
    Kind.ISSUES: "with issues",
    Kind.NO_INGEST: "active without ingest",
    Kind.RECORDING_FAILED: "with a failed recording",
}
_CALM: Final = '<span class="good">nothing needs attention</span>'
_KEY_ADVICE: Final = (
    "Set <code>LIVEPEER_API_KEY</code> or <code>--api-key-file</code> to a key that may read sessions;"
    " <code>livepeer-session-exporter check</code> tries it."
)
