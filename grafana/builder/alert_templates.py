"""Templates of alerts: the name, times and issue texts of their subject.

Prometheus expands the templates of pending and firing alerts only, and does so at each evaluation. A join in the
condition would read the names of all sessions, whatever fires. An outage can make thousands of alerts pending, so that
an alert has few queries with few selectors. A query without result leaves no text behind: no sentence is incomplete.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from grafana.builder.promql import NO_FILTERS, SESSION_KEY, metric_labels, selector
from grafana.builder.stream_queries import STREAM_KEY

MAX_ISSUES: Final = 5
"""Maximum number of issue texts in an alert. A session has no more of them, but a stream has several sessions."""

MAX_ISSUE: Final = 120
"""Maximum characters of each."""

_TIME: Final = "2006-01-02 15:04:05 UTC"
"""Layout of times, in the notation of Go."""

_FAILURES_WINDOW: Final = "30m"
"""Twice as long as the longest pause that the API can request between two polls (U05 of the fault matrix)."""

_SESSION_ID: Final = ("job", "account", "session_id")
"""Labels that select a session. Its stream is not needed, and Prometheus is slow at a matcher of an empty label."""

Subject = Literal["session", "stream", "exporter"]


def _matchers(labels: Iterable[str]) -> list[str]:
    """Return a matcher for each label of the alert, for ``_printf``."""
    return [f"{label}=%[{label}]q" for label in labels]


def _select(metric: str, labels: Sequence[str]) -> str:
    """Return the series of a metric with the labels of the alert that the metric has."""
    return selector(NO_FILTERS, metric, *_matchers(label for label in labels if label in metric_labels(metric)))


def _printf(expr: str, labels: Sequence[str]) -> str:
    """Return the template of a query's text, with the values of these labels as arguments."""
    used = [label for label in labels if f"%[{label}]q" in expr]
    for position, label in enumerate(used, 1):
        expr = expr.replace(f"%[{label}]q", f"%[{position}]q")
    text = '"' + expr.replace('"', '\\"') + '"'
    return " ".join([f"printf {text}", *(f"$labels.{label}" for label in used)]) if used else text


def _query(labels: Sequence[str], expr: Callable[[Sequence[Subject], Sequence[str]], str]) -> str:
    """Return the template of a query on the subject of an alert.

    An alert on sessions is one on streams with ``--detail=stream``. Only one of the two queries runs.

    Args:
        labels: the labels that identify the subject.
        expr: returns the PromQL for what the subject can be, and the labels that select its series.
    """
    if "session_id" not in labels:
        return _printf(expr(("session", "stream", "exporter"), labels), labels) + " | query"
    session = _printf(expr(("session",), _SESSION_ID), _SESSION_ID)
    stream = _printf(expr(("stream",), STREAM_KEY), STREAM_KEY)
    return f"or (and $labels.session_id ({session})) ({stream}) | query"


def _names(subjects: Sequence[Subject], labels: Sequence[str]) -> str:
    return " or ".join(_select(f"{each}_info", labels) for each in subjects if each != "exporter")


def _name(labels: Sequence[str]) -> str:
    """Return a template with the first of the names, since replicas can have different ones for a short time.

    A session may lack a name, and a parent stream; then its id is used.
    """
    return (
        f'{{{{ $name := "" }}}}{{{{ with {_query(labels, _names)} | sortByLabel "name" }}}}'
        '{{ $name = . | first | label "name" }}{{ end }}{{ or $name $labels.stream_id $labels.session_id }}'
    )


SUBJECT_NAME: Final = _name(SESSION_KEY)
"""The name of the alert's session, or of its stream if it has no session."""

STREAM_NAME: Final = _name(STREAM_KEY)
"""The name of the alert's stream, at any ``--detail`` that has streams: sessions carry it too."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A sentence with a time.

    Attributes:
        text: the words before the time.
        expressions: PromQL for the time of each subject with ``{}`` in place of metrics, followed by these metrics,
            without prefix. The labels of the alert select their series.
        includes_alert: whether the time is that at which the condition of the alert became true, if that is earlier.
    """

    text: str
    expressions: Mapping[Subject, tuple[str, ...]] = field(default_factory=dict)
    includes_alert: bool = False

    def time(self, alert: str, subjects: Sequence[Subject], labels: Sequence[str]) -> str:
        """Return PromQL for the time.

        Args:
            alert: the name of the alert.
            subjects: what the alert can be about.
            labels: the labels that select the series of the subject.
        """
        expressions = (self.expressions[each] for each in subjects if each in self.expressions)
        times = [expr.format(*(_select(each, labels) for each in metrics)) for expr, *metrics in expressions]
        if not self.includes_alert:
            return " or ".join(times)
        own = ", ".join([f'alertname="{alert}"', *_matchers(labels)]).join(("ALERTS_FOR_STATE{", "}"))
        return f"min({' or '.join([*times, own])})"


SINCE: Final = Moment("Since", includes_alert=True)
UNHEALTHY_SINCE: Final = Moment(
    "Since",
    {
        "session": ("{} and {} == 0", "session_health_since_timestamp_seconds", "session_healthy"),
        "stream": ("{} and {} == 0", "stream_health_since_timestamp_seconds", "stream_healthy"),
    },
    includes_alert=True,
)
CREATED: Final = Moment(
    "Created at",
    {
        "session": (
            "min({} unless {})",
            "session_created_timestamp_seconds",
            "session_last_seen_timestamp_seconds",
        ),
        "stream": ("max({})", "stream_created_timestamp_seconds"),
    },
)
LAST_MEDIA: Final = Moment(
    "Last media at",
    {
        "session": ("max({})", "session_last_seen_timestamp_seconds"),
        "stream": ("max({})", "stream_last_seen_timestamp_seconds"),
    },
)
LAST_POLL: Final = Moment("Last successful poll at", {"exporter": ("max({})", "snapshot_timestamp_seconds")})
LAST_SCRAPE: Final = Moment(
    "Last scrape at", {"exporter": ("max(max_over_time(timestamp({})[1d:1m]))", "exporter_build_info")}
)


def counted(one: str, several: str) -> str:
    """Return the template of the alert's value, a count, with the words for one or for several."""
    return f"{{{{ $value }}}} {{{{ if eq $value 1.0 }}}}{one}{{{{ else }}}}{several}{{{{ end }}}}"


def failure_classes(labels: Sequence[str]) -> str:
    """Return the template of a sentence with the classes of failed polls, the most frequent first.

    Args:
        labels: the labels that identify the exporter and its account.
    """
    failures = selector(NO_FILTERS, "exporter_poll_failures_total", *_matchers(labels), window=_FAILURES_WINDOW)
    query = _printf(f"sort_desc(sum by (class) (increase({failures})) > 0)", labels)
    return (
        f"{{{{ with {query} | query }}}} Failures of the last {_FAILURES_WINDOW}: "
        "{{ range $index, $sample := . }}{{ if $index }}, {{ end }}{{ $sample.Labels.class }}{{ end }}.{{ end }}"
    )


def details(alert: str, labels: Sequence[str], moments: Sequence[Moment], *, has_issues: bool) -> str:
    """Return the template of sentences with the times and issues of an alert, each with a space in front.

    Args:
        alert: the name of the alert.
        labels: the labels that identify its subject.
        moments: the times.
        has_issues: whether to list the issue texts of sessions and streams. They share the query of the last time.
    """
    *others, last = moments
    return "".join(_sentence(alert, labels, each) for each in others) + (
        _sentence_with_issues(alert, labels, last) if has_issues else _sentence(alert, labels, last)
    )


def _sentence(alert: str, labels: Sequence[str], moment: Moment) -> str:
    query = _query(labels, lambda subjects, selecting: moment.time(alert, subjects, selecting))
    return f"{{{{ with {query} }}}}{_formatted(moment)}{{{{ end }}}}"


def _formatted(moment: Moment) -> str:
    return f' {moment.text} {{{{ (. | first | value | toTime).Format "{_TIME}" }}}}.'


def _sentence_with_issues(alert: str, labels: Sequence[str], moment: Moment) -> str:
    """Return the template of both. Sorted by issue, the time comes first, since it has none."""

    def both(subjects: Sequence[Subject], selecting: Sequence[str]) -> str:
        issues = " or ".join(_select(f"{each}_issue_info", selecting) for each in subjects if each != "exporter")
        return f"{moment.time(alert, subjects, selecting)} or count by (issue) ({issues})"

    time = f"{_formatted(moment)}{{{{ $end = {MAX_ISSUES + 1} }}}}"
    return (
        f'{{{{ with {_query(labels, both)} | sortByLabel "issue" }}}}'
        f'{{{{ $end := {MAX_ISSUES} }}}}{{{{ $before := " Reported issues: " }}}}'
        f'{{{{ if not (. | first | label "issue") }}}}{time}{{{{ end }}}}'
        "{{ range $index, $sample := . }}{{ if and $sample.Labels.issue (lt $index $end) }}"
        f'{{{{ $text := printf "%.{MAX_ISSUE}s" $sample.Labels.issue }}}}{{{{ $before }}}}{{{{ $text }}}}'
        '{{ if ne $text $sample.Labels.issue }}…{{ end }}{{ $before = "; " }}{{ end }}{{ end }}'
        "{{ if gt (len .) $end }}; and more{{ end }}{{ end }}"
    )
