"""One alerting rule, with the links in its annotations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana.builder.base_urls import BaseUrls

Severity = Literal["warning", "critical"]

_VARIABLES: Final = {"stream_id": "stream", "session_id": "session"}
"""Dashboard variables whose name differs from that of the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    Attributes:
        name: of the alert; in lower case also the anchor in the runbooks.
        expr: the condition.
        for_duration: how long the condition must hold, a Prometheus duration.
        severity: critical for paging, warning for working hours.
        summary: template, short enough for a pager.
        description: template, a sentence or two.
        dashboard_uid: the dashboard that the alert links to.
        labels: labels of the alert that select the dashboard's variables.
    """

    name: str
    expr: str
    for_duration: str
    severity: Severity
    summary: str
    description: str
    dashboard_uid: str
    labels: Sequence[str] = ("job", "account")

    def to_rule(self, urls: BaseUrls) -> dict[str, Any]:
        """Return the rule as in a Prometheus rule file."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.for_duration,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                **urls.runbook_annotation(self.name.lower()),
                "dashboard_url": f"{urls.grafana}/d/{self.dashboard_uid}?{self._selected_variables()}".rstrip("?"),
            },
        }

    def _selected_variables(self) -> str:
        return "&".join(
            f"var-{_VARIABLES.get(label, label)}={{{{ $labels.{label} | urlquery }}}}" for label in self.labels
        )
