"""Every shipped query on each engine, with the same recorded samples, compared with the newest Prometheus."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.engines.comparison import Difference, Kind, Result, compare
from tests.engines.programs import Programs, named, package_version
from tests.engines.queries import ShippedQuery, dashboard_queries, docs_queries, rule_queries
from tests.engines.report import Report
from tests.engines.servers import Api, QueryError, import_samples, running_victoria_metrics, version
from tests.grafana.recording import INTERVAL, Recording, SelectedSessions, record, running_import
from tests.support.running import Prometheus

OFFSET: Final = 5.0
"""Seconds between a scrape and the evaluation of the queries.

At the time of a scrape, a range of Prometheus 2 includes the sample at its start, and one of Prometheus 3 does not.
"""

RANGE_STEPS: Final = 9
"""Steps of range queries, so that windows of five minutes are in the recording."""

MAX_DIFFERENCES: Final = {True: 0.1, False: 0.25}
"""Relative differences of the sum of all values that other rates explain, in another version of Prometheus and in
VictoriaMetrics. The windows have five or more scrapes, but series begin and end in them."""

FORMS: Final = ("instant", "range")

Results = tuple[Result | str, Result | str]
"""The results of an instant query and of a range query, or why the query is rejected."""

_RATES: Final = re.compile(r"\b(rate|increase|delta)\(")
_CHANGES: Final = re.compile(r"\bchanges\(")


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with the recorded samples.

    Attributes:
        name: its name and version.
        api: its HTTP API.
        is_prometheus: whether it is a version of Prometheus.
    """

    name: str
    api: Api
    is_prometheus: bool


def explain(query: ShippedQuery, difference: Difference, engine: Engine) -> str | None:
    """Return the reason that the docs give for a difference, or None if there is none."""
    if difference.kind in (Kind.EQUAL, Kind.TIES):
        return str(difference.kind)
    if difference.kind is Kind.REJECTED:
        return None
    if "topk(" in query.promql and difference.largest == 0:
        return str(Kind.TIES)  # an aggregation of the selected series can have fewer series, or at other times
    if _RATES.search(query.promql) and difference.total <= MAX_DIFFERENCES[engine.is_prometheus]:
        return "rates"
    if engine.is_prometheus:
        return None
    if difference.kind in (Kind.NAME, Kind.NAN):
        return str(difference.kind)
    if "increase(" in query.promql and difference.kind is Kind.VALUES and difference.largest <= 1:
        return "rates"  # of a counter that increased by one, before the first scrape in the window
    return "new series" if _CHANGES.search(query.promql) else None


def check_queries(programs: Programs, directory: Path, report: Report) -> None:
    """Compare the results of all queries, as instant and as range queries."""
    lines, time = asyncio.run(record(directory))
    with ExitStack() as stack:
        prometheus = stack.enter_context(_prometheus(programs.promtool, programs.prometheus, directory, lines))
        reference = Engine(named("Prometheus", programs.prometheus), Api(prometheus.port, {}), is_prometheus=True)
        queries = all_queries(Recording(prometheus, time).select())
        expected = {query: _results(reference.api, query, time + OFFSET) for query in queries}
        rejected = [query.location for query, (instant, _) in expected.items() if isinstance(instant, str)]
        report.add(f"queries on {reference.name}", not rejected, f"{len(queries)} queries; rejected: {rejected}")
        for engine in _others(programs, directory, lines, stack):
            _compare_all(engine, expected, time + OFFSET, report)


def all_queries(selected: SelectedSessions) -> list[ShippedQuery]:
    """Return all shipped queries, each once."""
    return list(dict.fromkeys([*dashboard_queries(selected), *rule_queries(), *docs_queries()]))


def _prometheus(promtool: str, binary: str, parent: Path, lines: Sequence[str]) -> AbstractContextManager[Prometheus]:
    directory = parent / f"queries-{version(binary)}"
    directory.mkdir()
    return running_import(promtool, binary, directory, lines)


def _others(programs: Programs, parent: Path, lines: Sequence[str], stack: ExitStack) -> Iterator[Engine]:
    """Start the engines that are compared with the reference."""
    if programs.debian_prometheus and programs.debian_promtool:
        prometheus = stack.enter_context(
            _prometheus(programs.debian_promtool, programs.debian_prometheus, parent, lines)
        )
        yield Engine(named("Prometheus", programs.debian_prometheus), Api(prometheus.port, {}), is_prometheus=True)
    names = {programs.victoria_metrics: named("VictoriaMetrics", programs.victoria_metrics)}
    if programs.debian_victoria_metrics:
        names[programs.debian_victoria_metrics] = f"VictoriaMetrics {package_version('victoria-metrics')}"
    for binary, name in names.items():
        directory = parent / f"queries-{name.replace(' ', '-')}"
        directory.mkdir()
        # The counterpart of Prometheus's --query.lookback-delta, as the recording has it.
        flags = (f"-search.maxLookback={INTERVAL - 1:g}s",)
        api = stack.enter_context(running_victoria_metrics(binary, directory, *flags))
        import_samples(api, lines)
        yield Engine(name, api, is_prometheus=False)


def _results(api: Api, query: ShippedQuery, time: float) -> Results:
    """Return the results of an instant query and a range query, or why it is rejected."""
    try:
        start = time - RANGE_STEPS * INTERVAL
        return api.instant(query.promql, time), api.range(query.promql, start, time, INTERVAL)
    except QueryError as error:
        return str(error), str(error)


def _compare_all(engine: Engine, expected: Mapping[ShippedQuery, Results], time: float, report: Report) -> None:
    """Compare the results of an engine; report the numbers by reason, and each difference without one."""
    counts: Counter[str] = Counter()
    locations: dict[str, set[str]] = {}
    for query, results in expected.items():
        for form, reference, result in zip(FORMS, results, _results(engine.api, query, time), strict=True):
            difference = _difference(reference, result)
            reason = explain(query, difference, engine)
            counts[reason or "unexplained"] += 1
            if reason is None:
                subject = f"{engine.name}, {query.location}, {query.selection or 'no variables'}, {form}"
                report.add(subject, passed=False, text=f"{difference.kind}: {difference.detail}")
            elif reason != Kind.EQUAL:
                locations.setdefault(reason, set()).add(query.panel)
    figures = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    report.add(f"results on {engine.name}", counts["unexplained"] == 0, figures)
    for reason, names in sorted(locations.items()):
        report.note(f"{reason}: {'; '.join(sorted(names))}")


def _difference(reference: Result | str, result: Result | str) -> Difference:
    if isinstance(reference, str) or isinstance(result, str):
        return Difference(Kind.REJECTED, detail=result if isinstance(result, str) else "only by the reference")
    return compare(reference, result)
