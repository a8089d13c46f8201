"""One alerting rule, with the times and links in its annotations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana.builder.alert_templates import SINCE, Moment, details
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
        description: template, a sentence or two; times and issues are appended.
        dashboard_uid: the dashboard that the alert links to.
        dashboards_of_labels: labels and the dashboards that it links to if it has them; the first one counts.
        labels: labels that identify the alert's subject: they select the dashboard's variables, and the series of times
            and issues.
        subject_name: template of the label ``name``, which also begins the summary.
        moments: the times that the description has.
        has_issues: whether the description lists the issues that Livepeer Studio reports.
        time_range: of the linked dashboard, up to now.
    """

    name: str
    expr: str
    for_duration: str
    severity: Severity
    summary: str
    description: str
    dashboard_uid: str
    dashboards_of_labels: Sequence[tuple[str, str]] = ()
    keep_firing_for: str = ""
    labels: Sequence[str] = ("job", "account")
    subject_name: str = ""
    moments: Sequence[Moment] = (SINCE,)
    has_issues: bool = False
    time_range: str = "3h"

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
                "description": self.description
                + details(self.name, self.labels, self.moments, has_issues=self.has_issues),
                **urls.runbook_annotation(self.name.lower()),
                "dashboard_url": f"{urls.grafana}/d/{self._dashboard()}?{self._parameters()}",
            },
        }

    def _dashboard(self) -> str:
        branches = "{{ else ".join(f"if $labels.{label} }}}}{uid}" for label, uid in self.dashboards_of_labels)
        return f"{{{{ {branches}{{{{ else }}}}{self.dashboard_uid}{{{{ end }}}}" if branches else self.dashboard_uid

    def _parameters(self) -> str:
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
        return "&".join([f"from=now-{self.time_range}&to=now", *required]) + "".join(optional)
