"""Every query of panels, variables and annotations, on a Prometheus with recorded scrapes of the exporter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from exporter.metrics.catalogue import SESSION_LIFE_FAMILIES, STREAM_LIFE_FAMILIES, WEBHOOK_FAMILIES, Family
from exporter.metrics.catalogue.lifecycle import ACCOUNT_LIFE_FAMILIES
from grafana.builder.promql import METRIC_LABELS
from tests.grafana.dashboards import ALL, HIDDEN_LISTS, UIDS, Json, Query, Selection, all_queries, interpolate, load
from tests.grafana.promql_ast import selectors
from tests.grafana.recording import (
    EMPTY,
    FAILING,
    INSTANCES,
    INVALID,
    JOB,
    LIMITED,
    SIMULATED,
    STREAM_DETAIL,
    Recording,
    SelectedSessions,
    running_recording,
)

pytestmark = pytest.mark.prometheus

QUERIES: Final = [query for uid in UIDS for query in all_queries(load(uid))]
LOCATIONS: Final = [query.location for query in QUERIES]

SKIPPED_POLLS: Final = "livepeer-exporter: Polls and failures B"
"""Without data in this environment: the poll deadline ends a poll before the next one is due."""

WEBHOOK_CALLS: Final = "livepeer-exporter: Webhook calls A"
"""Without data in this environment: no call arrives."""

FALLEN: Final = "livepeer-overview: $fallen"
"""Has data if the ingest rate of a selected stream fell in the range, which it need not do."""

COMPARED_WITH_0: Final = {SKIPPED_POLLS, WEBHOOK_CALLS}

ALWAYS_KNOWN: Final = {"livepeer-overview: No ingest A"}
"""On sessions, but 0 for an account without any."""

SHARES: Final = {
    "livepeer-overview: Unhealthy share A",
    "livepeer-overview: Unhealthy share B",
    "livepeer-streams: Healthy share A",
    "livepeer-streams: Ended sessions that were unhealthy A",
    "livepeer-streams: Ended sessions that were unhealthy B",
    "livepeer-streams: Ended sessions that were unhealthy C",
}
"""On accounts, but undefined without any session."""

FAILURE_QUERIES: Final = {
    "livepeer-exporter: Accounts F",
    "livepeer-exporter: Polls and failures C",
    "livepeer-exporter: API requests by status code B",
    "livepeer-exporter: API requests by status code C",
    "livepeer-exporter: Pages and duplicates B",
    "livepeer-exporter: Invalid values and sessions A",
    "livepeer-exporter: Invalid values and sessions B",
    "livepeer-exporter: Invalid values and sessions C",
    "livepeer-exporter: Counter regressions A",
    "livepeer-exporter: Exported and dropped sessions B",
    SKIPPED_POLLS,
}
"""Queries that have data only if the exporter or its data have a problem."""

Values = dict[str, tuple[str, ...]]
"""Selected values by variable."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A recording, and sessions to select."""

    recording: Recording
    selected: SelectedSessions

    def has_data(self, query: Query, **values: tuple[str, ...]) -> bool:
        """Whether a query returns series for the selected values; variables without values are All."""
        return bool(self.recording.query(_interpolate(query, values)))


def _interpolate(query: Query, values: Values) -> str:
    """Interpolate the variables; the recording is too short for the values of a week ago."""
    expr = interpolate(query.expr, Selection(values, range_seconds=900, rate_interval="5m"))
    return expr.replace("offset 1w", "offset 5m")


@pytest.fixture(scope="module")
def snapshot(promtool: str, prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    with running_recording(promtool, prometheus_binary, tmp_path_factory.mktemp("recording")) as recording:
        yield Snapshot(recording, recording.select())


def _is_as_expected_for_empty(snapshot: Snapshot, query: Query) -> bool:
    no_data = _is_on_sessions(query) or _is_on_webhooks(query) or query.location in FAILURE_QUERIES | SHARES
    no_data = no_data and query.location not in ALWAYS_KNOWN
    return snapshot.has_data(query, account=(EMPTY,)) == (not no_data)


def _one_stream(snapshot: Snapshot) -> Values:
    return {"job": (JOB,), "account": (STREAM_DETAIL,), "stream": snapshot.selected.streams[:1]}


def _one_session(snapshot: Snapshot) -> Values:
    return {
        "job": (JOB,),
        "instance": INSTANCES[:1],
        "account": (SIMULATED,),
        "stream": snapshot.selected.streams[:1],
        "session": snapshot.selected.sessions[:1],
    }


def _two_sessions(snapshot: Snapshot) -> Values:
    return {
        "job": (JOB, "another (job) [*]"),
        "instance": INSTANCES,
        "account": (SIMULATED, EMPTY),
        "stream": snapshot.selected.streams,
        "session": snapshot.selected.sessions,
    }


def _metrics(query: Query) -> set[str]:
    return {selector.name or "" for selector, _ in selectors(interpolate(query.expr, ALL))}


def _requires_stream_detail(query: Query) -> bool:
    """Whether a query needs metrics that only exporters with ``--detail=stream`` have."""
    names = _metrics(query)
    at_both_levels = {family.name for family in STREAM_LIFE_FAMILIES}
    of_streams = any(name.startswith("livepeer_studio_stream_") for name in names - at_both_levels)
    return of_streams and not any(name.startswith("livepeer_studio_session_") for name in names)


def _is_on_webhooks(query: Query) -> bool:
    return bool(_metrics(query) & {name for name in METRIC_LABELS if name.startswith(WEBHOOK_NAMES)})


WEBHOOK_NAMES: Final = tuple(family.name for family in WEBHOOK_FAMILIES)


def _is_on_sessions(query: Query) -> bool:
    return any("stream_id" in METRIC_LABELS.get(name, ()) for name in _metrics(query))


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_query_has_data_for_all_values(snapshot: Snapshot, query: Query) -> None:
    if query.location in COMPARED_WITH_0:  # the comparison drops the counters, which are 0
        query = Query(query.location, query.expr.removesuffix(" > 0"))
    assert snapshot.has_data(query)


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_query_has_data_for_one_value_unless_it_shows_failures(snapshot: Snapshot, query: Query) -> None:
    if _requires_stream_detail(query):
        assert snapshot.has_data(query, **_one_stream(snapshot))
        assert not snapshot.has_data(query, **_one_session(snapshot))
    elif query.location == FALLEN:
        assert snapshot.has_data(Query(FALLEN, query.expr.replace(" > 0", "")), **_one_session(snapshot))
    else:
        assert snapshot.has_data(query, **_one_session(snapshot)) == (
            query.location not in FAILURE_QUERIES | COMPARED_WITH_0
        )


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_query_has_data_for_two_values(snapshot: Snapshot, query: Query) -> None:
    if query.location in FAILURE_QUERIES:
        jobs, accounts = _two_sessions(snapshot)["job"], (INVALID, LIMITED, FAILING)
        assert snapshot.has_data(query, job=jobs, account=accounts) == (query.location != SKIPPED_POLLS)
    elif _requires_stream_detail(query):
        assert snapshot.has_data(query, account=(STREAM_DETAIL, EMPTY), stream=snapshot.selected.streams)
    else:
        assert snapshot.has_data(query, **_two_sessions(snapshot)) == (query.location != WEBHOOK_CALLS)


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_query_on_sessions_has_no_data_for_an_account_without_sessions(snapshot: Snapshot, query: Query) -> None:
    assert _is_as_expected_for_empty(snapshot, query)


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_query_has_no_data_for_an_unknown_job(snapshot: Snapshot, query: Query) -> None:
    if query.location.endswith(("$cluster", "$job")):  # the first variables, which the job does not filter
        assert snapshot.has_data(query, job=("another",))
    else:
        assert not snapshot.has_data(query, job=("another",))


@pytest.mark.parametrize("query", QUERIES, ids=LOCATIONS)
def test_every_selector_of_the_query_has_data(snapshot: Snapshot, query: Query) -> None:
    """A selector without data would otherwise remain unnoticed behind ``or``."""
    for selector, _ in selectors(_interpolate(query, {})):
        assert snapshot.recording.query(selector.prettify()), selector.prettify()


def test_a_misspelt_metric_has_no_data(snapshot: Snapshot) -> None:
    assert not snapshot.has_data(Query("a panel", "max(livepeer_studio_session_helthy)"))
    assert snapshot.has_data(Query("a panel", "max(livepeer_studio_session_healthy)"))


def _variable(uid: str, name: str) -> tuple[str, re.Pattern[str]]:
    """Return the PromQL of a variable and its regular expression, in Python's syntax of named groups."""
    dashboard: Json = load(uid)
    variable = next(each for each in dashboard["templating"]["list"] if each["name"] == name)
    (query,) = [query for query in QUERIES if query.location == f"{uid}: ${name}"]
    expr = interpolate(query.expr, Selection({"account": (SIMULATED,)}, range_seconds=900))
    return expr, re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))


def test_stream_variable_shows_names_with_any_characters(snapshot: Snapshot) -> None:
    """The regular expression is applied to Grafana's rendering of the series, which does not escape label values."""
    expr, regex = _variable("livepeer-overview", "stream")
    shown = {}
    for labels, value in snapshot.recording.query(expr):
        series = "{" + ",".join(f'{name}="{labels[name]}"' for name in sorted(labels)) + f"}} {value:g} 1"
        match = regex.search(series)
        assert match, series
        shown[match["value"]] = match["text"]
    assert set(snapshot.selected.streams) <= set(shown)
    assert {'The "late" show', "match day {final} <live>", "100% techno"} <= set(shown.values())


def test_session_variable_shows_the_newest_session_first_and_the_start_of_its_id(snapshot: Snapshot) -> None:
    expr, regex = _variable("livepeer-session", "session")
    samples = snapshot.recording.query(expr)
    values = [value for _, value in samples]
    assert values == sorted(values, reverse=True)
    for labels, _ in samples:
        match = regex.search(f'{{session_id="{labels["session_id"]}",title="{labels["title"]}"}} 1 1')
        assert match
        assert match["text"].endswith(f" · {labels['session_id'].partition('-')[0]}")


def _by_account(snapshot: Snapshot, expr: str) -> dict[str, float]:
    return {labels["account"]: value for labels, value in snapshot.recording.query(f"sum by (account) ({expr})")}


def test_bars_add_up_to_the_growth_of_the_counter(snapshot: Snapshot) -> None:
    (query,) = [query for query in QUERIES if query.location == "livepeer-overview: Sessions started A"]
    steps = _interpolate(query, {}).replace("offset 30s", "offset 2m")
    end = snapshot.recording.time - snapshot.recording.time % 120
    counter = "livepeer_studio_sessions_started_total"
    bars = _by_account(snapshot, f"sum_over_time(({steps})[719s:2m] @ {end:.0f})")
    growth = _by_account(snapshot, f"{counter} @ {end:.0f} - {counter} @ {end - 720:.0f}")
    assert sum(bars.values()) > 0
    assert bars == growth


def test_growth_of_a_new_stream_includes_the_first_value_of_its_counter(snapshot: Snapshot) -> None:
    """The recording has nothing from before the range, so every stream is new, and counters of accounts start at 0."""
    (query,) = [query for query in QUERIES if query.location == "livepeer-streams: Streams G"]
    # Longer than the recording: Prometheus 3 excludes a sample at the start of a range.
    streams = _by_account(snapshot, interpolate(query.expr, Selection({}, range_seconds=1000)))
    account = _by_account(snapshot, "livepeer_studio_sessions_started_total")
    assert streams[SIMULATED] == account[SIMULATED] > 0


@pytest.mark.parametrize("name", HIDDEN_LISTS)
def test_a_hidden_list_selects_what_its_query_finds(snapshot: Snapshot, name: str) -> None:
    expr, regex = _variable("livepeer-overview", name)
    label = "stream_id" if name == "fallen" else "session_id"
    found = [labels[label] for labels, _ in snapshot.recording.query(expr) if label in labels]
    matches = [regex.search(f'{{{label}="{value}"}} 1 1') for value in found]
    assert found
    assert [match[1] for match in matches if match] == found


def test_the_table_of_sessions_has_every_unhealthy_session(snapshot: Snapshot) -> None:
    expr, _ = _variable("livepeer-overview", "listed")
    listed = {labels["session_id"] for labels, _ in snapshot.recording.query(expr)}
    query = Query("", 'livepeer_studio_session_healthy{account=~"$account"} == 0')
    unhealthy = snapshot.recording.query(_interpolate(query, {"account": (SIMULATED,)}))
    assert unhealthy
    assert {labels["session_id"] for labels, _ in unhealthy} <= listed


DOCS: Final = Path(__file__).parents[2] / "docs"
LIFECYCLE_QUERIES: Final = re.findall(
    r"^```promql\n(.*?)^```", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def test_each_lifecycle_metric_has_a_query_in_the_docs() -> None:
    names = {each.name or "" for query in LIFECYCLE_QUERIES for each, _ in selectors(query)}
    families: list[Family] = [*SESSION_LIFE_FAMILIES, *STREAM_LIFE_FAMILIES, *ACCOUNT_LIFE_FAMILIES]
    assert [each for each in (family.name for family in families) if not {each, f"{each}_bucket"} & names] == []


@pytest.mark.parametrize("query", LIFECYCLE_QUERIES)
def test_a_lifecycle_query_of_the_docs_has_data(snapshot: Snapshot, query: str) -> None:
    assert snapshot.recording.query(query)
