"""One alerting rule, with the links in its annotations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana.builder.base_urls import BaseUrls

Severity = Literal["warning", "critical"]

_VARIABLES: Final = {"stream_id": "stream", "session_id": "session"}
"""Dashboard variables whose name differs from that of the label."""

_OPTIONAL: Final = ("stream_id", "session_id")
"""Labels that an alert may lack: sessions without a parent stream, exporters with ``--detail=stream``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    Attributes:
        name: of the alert; in lower case also the anchor in the runbooks.
        expr: the condition.
        for_duration: how long the condition must hold, a Prometheus duration.
        keep_firing_for: how long the alert stays after the condition, so that a value that flaps notifies once.
        severity: critical for paging, warning for working hours.
        summary: template, short enough for a pager.
        description: template, a sentence or two.
        dashboard_uid: the dashboard that the alert links to.
        dashboard_without_session: the one that it links to if it has no label ``session_id``; by default the same.
        labels: labels of the alert that select the dashboard's variables.
        subject_name: template of the label ``name``, which also begins the summary.
    """

    name: str
    expr: str
    for_duration: str
    severity: Severity
    summary: str
    description: str
    dashboard_uid: str
    dashboard_without_session: str = ""
    keep_firing_for: str = ""
    labels: Sequence[str] = ("job", "account")
    subject_name: str = ""

    def to_rule(self, urls: BaseUrls) -> dict[str, Any]:
        """Return the rule as in a Prometheus rule file."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.for_duration,
            **({"keep_firing_for": self.keep_firing_for} if self.keep_firing_for else {}),
            "labels": {"severity": self.severity} | ({"name": self.subject_name} if self.subject_name else {}),
            "annotations": {
                "summary": f"{self.subject_name}: {self.summary}" if self.subject_name else self.summary,
                "description": self.description,
                **urls.runbook_annotation(self.name.lower()),
                "dashboard_url": f"{urls.grafana}/d/{self._dashboard()}?{self._selected_variables()}".rstrip("?"),
            },
        }

    def _dashboard(self) -> str:
        if not self.dashboard_without_session:
            return self.dashboard_uid
        return (
            f"{{{{ if $labels.session_id }}}}{self.dashboard_uid}"
            f"{{{{ else }}}}{self.dashboard_without_session}{{{{ end }}}}"
        )

    def _selected_variables(self) -> str:
        """Return the query of the link. An empty variable selects nothing, so that absent labels are left out."""
        required = [
            f"var-{_VARIABLES.get(label, label)}={{{{ $labels.{label} | urlquery }}}}"
            for label in self.labels
            if label not in _OPTIONAL
        ]
        optional = [
            f"{{{{ with $labels.{label} }}}}&var-{_VARIABLES[label]}={{{{ . | urlquery }}}}{{{{ end }}}}"
            for label in self.labels
            if label in _OPTIONAL
        ]
        return "&".join(required) + "".join(optional)
