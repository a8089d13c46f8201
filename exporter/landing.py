"""The page ``/`` for people: what is polled, how old the data is, how each account does, which sessions need help.

Plain HTML without scripts. Every text from outside is cleaned and escaped; no key, URL or playback id gets here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from html import escape
from itertools import count
from typing import Final

from exporter.board import Data, Panel
from exporter.catalogue import MAX_ISSUE, MAX_ISSUES, MAX_NAME
from exporter.durations import format_duration
from exporter.poller import Plan, Status
from exporter.session import MAX_ID, clean
from exporter.snapshot import HEALTH, STATES
from exporter.trouble import Trouble, Troubles
from exporter.version import VERSION


def render(
    accounts: Sequence[tuple[Plan, Status]],
    panels: Mapping[str, Panel],
    *,
    now: float,
    metrics_path: str,
) -> str:
    """The whole page.

    Args:
        accounts: how each account is polled, and how that goes.
        panels: what each account shows; an account whose data is too old has none.
        now: Unix seconds of our clock.
        metrics_path: where the page for Prometheus is.
    """
    refresh = max(5, round(min((plan.interval for plan, _ in accounts), default=30)))
    shown = [panel.data for panel in panels.values() if panel.data]
    troubles = reduce(Troubles.with_, (data.troubles for data in shown), Troubles())
    return _PAGE.format(
        refresh=refresh,
        version=escape(VERSION),
        metrics=escape(metrics_path, quote=True),
        accounts="".join(_account(plan, status, panels.get(plan.account), now) for plan, status in accounts),
        troubles=_troubles(troubles) if shown else _NO_DATA,
    )


def _account(plan: Plan, status: Status, panel: Panel | None, now: float) -> str:
    data = panel.data if panel else None
    verdict, shade = _verdict(status, data)
    totals = data.snapshot.totals if data else None
    cells = [
        escape(plan.account),
        f'<span class="{shade}">{verdict}</span>{_failure(status, now)}',
        f"{_ago(now - data.snapshot.began)}" if data else "no data",
        _counts(totals.sessions, STATES) if totals else "",
        _counts(totals.health, HEALTH) if totals else "",
        f"{_bits(totals.ingest_rate)} in<br>{_bits(totals.outgoing_rate)} out" if totals else "",
        escape(format_duration(plan.interval)),
    ]
    return _row(cells, wrapped=(1,))


def _verdict(status: Status, data: Data | None) -> tuple[str, str]:
    if status.failure is None:
        return ("up", "good") if status.succeeded is not None else ("starting", "dim")
    return ("failing, shows its last data", "bad") if data else ("failing", "bad")


def _failure(status: Status, now: float) -> str:
    if status.failure is None:
        return ""
    name, text = status.failure
    again = f", next poll in {_span((status.next_poll or now) - now)}"
    return f"<br><small>{escape(name)}: {escape(text)}; {status.failures} in a row{again}</small>"


def _troubles(troubles: Troubles) -> str:
    if not troubles.count:
        return '<p><span class="good">None.</span></p>'
    rows = "".join(map(_session, troubles.worst))
    more = troubles.count - len(troubles.worst)
    rest = f"<p>{more} more are not listed here.</p>" if more else ""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{rest}'


_COLUMNS: Final = ("Stream", "Trouble", "Livepeer says", "Started", "Last media", "Ingest", "Account, stream, session")


def _session(trouble: Trouble) -> str:
    session = trouble.session
    issues = "; ".join(escape(clean(text, MAX_ISSUE)) for text in (session.issues or ())[:MAX_ISSUES])
    ids = (trouble.account, clean(session.parent_id or "", MAX_ID), session.id)
    return _row(
        [
            escape(clean(session.name or "", MAX_NAME)) or "<i>no name</i>",
            f'<span class="bad">{trouble.reason}</span>',
            issues,
            "" if trouble.started is None else _ago(trouble.started),
            "never" if trouble.age is None else _ago(trouble.age),
            _bits(session.ingest_rate) if trouble.active and session.ingest_rate is not None else "",
            f"<small>{'<br>'.join(map(escape, ids))}</small>",
        ],
        wrapped=(0, 2),
    )


def _row(cells: Iterable[str], wrapped: Collection[int] = ()) -> str:
    """A row of a table; only the cells in ``wrapped`` may break lines, so that short ones stay readable."""
    marked = ('<td class="text">' if place in wrapped else "<td>" for place in count())
    return f"<tr>{''.join(f'{mark}{cell}</td>' for mark, cell in zip(marked, cells, strict=False))}</tr>\n"


def _counts(counts: Mapping[str, int], names: Sequence[str]) -> str:
    return "<br>".join(f"{counts[name]} {name}" for name in names)


def _span(seconds: float) -> str:
    return escape(format_duration(max(0, round(seconds))))


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago"


def _bits(rate: float) -> str:
    bits = rate * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000:
            return f"{bits:.3g} {unit}"
        bits /= 1000
    return f"{bits:.3g} Tbit/s"


_NO_DATA: Final = "<p>There is no data that could be trusted, so nothing can be said about any session.</p>"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{refresh}">
<title>Livepeer sessions</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --dim: #767676; }}
@media (prefers-color-scheme: dark) {{ :root {{ --good: #56d364; --bad: #ff7b72; --dim: #9a9a9a; }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 80rem; padding: 1rem; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; }}
th, td {{ text-align: left; vertical-align: top; }}
td, th {{ white-space: nowrap; }}
td.text {{ min-width: 11rem; overflow-wrap: anywhere; white-space: normal; }}
small, footer {{ color: var(--dim); }}
.good {{ color: var(--good); font-weight: 600; }} .bad {{ color: var(--bad); font-weight: 600; }}
.dim {{ color: var(--dim); }}
</style>
</head>
<body>
<h1>Livepeer sessions</h1>
<p><a href="{metrics}">Metrics for Prometheus</a></p>
<h2>Accounts</h2>
<div class="wide"><table><thead><tr>
<th>Account</th><th>State</th><th>Data from</th><th>Sessions</th><th>Health of the active</th><th>Rates</th>
<th>Polled every</th></tr></thead>
<tbody>
{accounts}</tbody></table></div>
<h2>Sessions that need attention</h2>
{troubles}
<footer><p>livepeer-session-exporter {version}. Values are polled and cached; this page renews itself.
Probes: <a href="/livez">/livez</a>, <a href="/readyz">/readyz</a>.</p></footer>
</body>
</html>
"""
