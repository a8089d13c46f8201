"""What an alert is: what it says, how bad it is, how long it must last, and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Places:
    """Where the links of an alert lead.

    Attributes:
        grafana: the base URL of a Grafana that has the dashboards.
        runbooks: the URL of ``docs/runbooks.md``, wherever it is published; empty if it is not.
    """

    grafana: str = "http://localhost:3000"
    runbooks: str = ""

    def runbook(self, anchor: str) -> dict[str, str]:
        """The annotation that leads to a runbook: a link, or the path in this repository if there is no URL."""
        if not self.runbooks:
            return {"runbook": f"docs/runbooks.md#{anchor}"}
        return {"runbook_url": f"{self.runbooks}#{anchor}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    Attributes:
        name: also the runbook's anchor, in lower case.
        expr: what fires.
        lasts: how long it must be true, as Prometheus writes durations.
        severity: critical wakes somebody up, warning waits for the morning.
        summary, description: templates; the summary fits a telephone.
        dashboard: the dashboard that shows it.
        variables: the labels that become its variables.
    """

    name: str
    expr: str
    lasts: str
    severity: Literal["warning", "critical"]
    summary: str
    description: str
    dashboard: str
    variables: Sequence[str] = field(default=("job", "account"))

    def plain(self, places: Places) -> dict[str, Any]:
        """As the rule file has it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                **places.runbook(self.name.lower()),
                "dashboard_url": f"{places.grafana}/d/{self.dashboard}?{self._chosen()}".rstrip("?"),
            },
        }

    def _chosen(self) -> str:
        names = {"stream_id": "stream", "session_id": "session"}
        return "&".join(
            f"var-{names.get(label, label)}={{{{ $labels.{label} | urlquery }}}}" for label in self.variables
        )
