"""All queries that are shipped: of dashboards with several selections of their variables, of rules, and in the docs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.recording_rules import recording_rules
from grafana.builder.thresholds import DEFAULT
from tests.grafana.dashboards import UIDS, Selection, all_queries, interpolate, load
from tests.grafana.recording import INSTANCES, JOB, SIMULATED, STREAM_DETAIL, SelectedSessions

DOCS: Final = Path(__file__).parents[2] / "docs"
RANGE_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class ShippedQuery:
    """A query as it is sent to an engine.

    Attributes:
        location: where it is, such as ``livepeer-overview: Ingest A`` or ``docs/promql.md 3``.
        selection: the name of the selected values of the variables; empty without variables.
        promql: the query.
    """

    location: str
    selection: str
    promql: str

    @property
    def panel(self) -> str:
        """The location without the letter of a panel's query."""
        return re.sub(r"^(livepeer-.*) [A-Z]$", r"\1", self.location)


def selections(selected: SelectedSessions) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """Return selected values by variable, by the name of the selection; variables without values are All."""
    one = {"job": (JOB,), "account": (SIMULATED,)}
    return {
        "all": {},
        "one stream": {"job": (JOB,), "account": (STREAM_DETAIL,), "stream": selected.streams[:1]},
        "one session": {
            **one,
            "instance": INSTANCES[:1],
            "stream": selected.streams[:1],
            "session": selected.sessions[:1],
        },
        "two": {
            "job": (JOB, "another (job) [*]"),
            "instance": INSTANCES,
            "account": (SIMULATED, STREAM_DETAIL),
            "stream": selected.streams,
            "session": selected.sessions,
        },
    }


def dashboard_queries(selected: SelectedSessions) -> Iterator[ShippedQuery]:
    """Yield the queries of panels, variables and annotations with each selection."""
    for name, values in selections(selected).items():
        selection = Selection(values, range_seconds=RANGE_SECONDS, rate_interval="5m")
        for uid in UIDS:
            for query in all_queries(load(uid)):
                yield ShippedQuery(query.location, name, interpolate(query.expr, selection))


def rule_queries() -> Iterator[ShippedQuery]:
    """Yield the expressions of all rules."""
    for alert in alerting_rules(DEFAULT):
        yield ShippedQuery(f"alert: {alert.name}", "", alert.expr)
    for rule in recording_rules(DEFAULT):
        yield ShippedQuery(f"record: {rule.record}", "", rule.expr)


def docs_queries() -> Iterator[ShippedQuery]:
    """Yield the queries in the docs, without those that have a placeholder."""
    for path in sorted(DOCS.glob("*.md")):
        blocks = re.findall(r"^```promql\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        for number, block in enumerate(blocks, start=1):
            yield ShippedQuery(f"docs/{path.name} {number}", "", block)
