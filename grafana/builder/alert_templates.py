"""Templates of alerts that look up the name and the issues of a session or stream.

Prometheus expands the templates of pending and firing alerts only. A join in the condition would read the names of all
sessions at every evaluation.
"""

from collections.abc import Sequence
from typing import Final

from exporter.metrics import catalogue
from grafana.builder.promql import NO_FILTERS, SESSION_KEY, selector
from grafana.builder.stream_queries import STREAM_KEY


def _matchers(keys: Sequence[str]) -> list[str]:
    """Return a matcher for each label, for the arguments of ``_arguments``."""
    return [f"{label}=%[{position}]q" for position, label in enumerate(keys, 1)]


def _arguments(keys: Sequence[str]) -> str:
    return " ".join(f"$labels.{label}" for label in keys)


def _of_subject(metric: str) -> str:
    """Return a selector of the series of the alert's session or stream.

    A label that the alert does not have is empty and matches only series without it. So the alert of a session matches
    the metric of sessions, and the alert of a stream at ``--detail=stream`` that of streams.
    """
    of_session = selector(NO_FILTERS, f"session_{metric}", *_matchers(SESSION_KEY))
    of_stream = selector(NO_FILTERS, f"stream_{metric}", *_matchers(SESSION_KEY[: len(STREAM_KEY)]))
    return f"{of_session} or {of_stream}"


def _name(selected: str, keys: Sequence[str]) -> str:
    """Return a template with the first of the names, since replicas can have different ones for a short time."""
    query = f'printf "count by (name) ({selected})" {_arguments(keys)} | query | sortByLabel "name"'
    return f'{{{{ with {query} }}}}{{{{ . | first | label "name" }}}}{{{{ end }}}}'


SUBJECT_NAME: Final = _name(_of_subject("info"), SESSION_KEY)
"""The name of the alert's session, or of its stream if it has no session."""

STREAM_NAME: Final = _name(
    f"{{__name__=~`{catalogue.PREFIX}(session|stream)_info`, {', '.join(_matchers(STREAM_KEY))}}}", STREAM_KEY
)
"""The name of the alert's stream, at any ``--detail`` that has streams: sessions carry it too."""


def _reported_issues() -> str:
    query = f'printf "count by (issue) ({_of_subject("issue_info")})" {_arguments(SESSION_KEY)}'
    return (
        f'{{{{ range $index, $sample := {query} | query | sortByLabel "issue" }}}}'
        "{{ if $index }}; {{ else }} Reported issues: {{ end }}{{ $sample.Labels.issue }}"
        "{{ end }}"
    )


REPORTED_ISSUES: Final = _reported_issues()
"""A list of the issue texts of the alert's session or stream, and nothing without issues."""
