"""``make bench-grafana``: what the dashboards and rules cost Prometheus with 10,000 sessions.

A simulated account is scraped for an hour in simulated time. Every query of every dashboard is sent once, as Grafana
does for a range of an hour, and the rules are evaluated a few times.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.bench.grafana import head, rules, samples
from tests.bench.grafana.queries import Client, Cost, measure_dashboard
from tests.bench.processes import Server
from tests.bench.report import aligned, machine, number
from tests.grafana.dashboards import GRAFANA, load
from tests.support.programs import required_program
from tests.support.running import running_prometheus

HOUR: Final = 3600
SHORT: Final = 14 * 60
"""Range of the first measurements of the Overview dashboard."""

MEGA: Final = 1e6
OVERVIEW: Final = "livepeer-overview"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.data or Path(temporary) / "data"
        data = samples.read(directory)
        if data is None:
            data = samples.create(
                required_program("promtool"), directory, options.sessions, options.streams, options.scrapes
            )
        on = machine()
        print(f"{on.processor}, {on.cores} cores, {on.system}")
        print(
            f"{data.sessions:,} sessions, {data.streams} streams, {data.series:,} series, {data.scrapes} scrapes; "
            f"a page has {data.page_bytes / MEGA:.1f} MB, compressed {data.compressed_bytes / MEGA:.2f} MB\n"
        )
        if options.head:
            print(_head_table(directory, data, options))
            return
        if not options.only_rules:
            print(dashboard_tables(required_program("prometheus"), directory, data, options.dashboard, options.top))
        if not options.dashboard:
            costs = _rule_costs(required_program("prometheus"), directory, data, options.evaluations, options.interval)
            print(rule_tables(list(costs), options.top))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.grafana", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000, help="sessions at a time (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=500, help="streams (default: %(default)s)")
    parser.add_argument(
        "--scrapes", type=int, default=HOUR // 30 + 1, help="scrapes, one every 30 s (default: %(default)s, an hour)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="directory of the samples: if it has some, they replace --sessions; else new ones are kept "
        "(default: a temporary directory)",
    )
    parser.add_argument("--dashboard", metavar="UID", help="only this dashboard, and no rules")
    parser.add_argument("--only-rules", action="store_true", help="no dashboards")
    parser.add_argument(
        "--head",
        type=Path,
        metavar="DIR",
        help="only the conditions of the alerts, with the last samples in memory; DIR keeps them, for an hour or two",
    )
    parser.add_argument("--evaluations", type=int, default=4, help="of the rules (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=5, help="seconds between evaluations (default: %(default)g)")
    parser.add_argument("--top", type=int, default=12, help="expensive queries to list (default: %(default)s)")
    return parser


def dashboard_tables(binary: str, directory: Path, data: samples.Data, only: str | None, top: int) -> str:
    """Send the queries of the dashboards, and return their costs as text."""
    uids = [only] if only else sorted(path.stem for path in (GRAFANA / "dashboards").glob("*.json"))
    runs = [(uid, HOUR) for uid in uids]
    if OVERVIEW in uids:
        runs.append((OVERVIEW, SHORT))
    rows: list[Sequence[str]] = [
        ("dashboard", "range", "queries", "CPU, s", "samples, M", "answer, MB", "all: queries", "CPU, s")
    ]
    expensive = []
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with running_prometheus(binary, Path(temporary), {}, *rules.flags(), data=directory) as prometheus:
                client = Client(prometheus, data.end, Server(prometheus.pid, prometheus.port).cpu)
                for uid, seconds in runs:
                    costs = list(measure_dashboard(load(uid), client, seconds))
                    rows.append((uid, f"{seconds // 60} min", *_sums(costs)))
                    expensive += [(each, seconds) for each in costs]
        finally:
            rules.remove_head(directory)
    return f"{aligned(rows)}\n\n{aligned(list(_most_expensive(expensive, top)))}\n"


def _sums(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the sums of the queries on load, and the number and CPU time of all of them."""
    on_load = [each for each in costs if each.request.on_load]
    yield str(len(on_load))
    yield number(_sum(on_load, lambda each: each.cpu))
    yield number(_sum(on_load, lambda each: each.samples / MEGA))
    yield number(_sum(on_load, lambda each: each.answer / MEGA))
    yield str(len(costs))
    yield number(_sum(costs, lambda each: each.cpu))


def _sum(costs: Sequence[Cost], value: Callable[[Cost], float]) -> float:
    return sum(map(value, costs))


def _most_expensive(costs: Sequence[tuple[Cost, int]], top: int) -> Iterator[Sequence[str]]:
    yield ("query", "range", "CPU, s", "samples, M", "at a time, M", "answer, MB", "series")
    for cost, seconds in sorted(costs, key=lambda each: -each[0].cpu)[:top]:
        sizes = (cost.samples / MEGA, cost.peak / MEGA, cost.answer / MEGA)
        yield (
            cost.request.location + ("" if cost.request.on_load else " (not on load)"),
            f"{seconds // 60} min" if cost.request.is_range else "end",
            number(cost.cpu),
            *map(number, sizes),
            str(cost.series),
        )


def _rule_costs(
    binary: str, directory: Path, data: samples.Data, evaluations: int, interval: float
) -> Iterator[tuple[rules.GroupCost, rules.GroupCost]]:
    """Evaluate each group of the rules, and then without the templates of its alerts."""
    for group in rules.groups_in(*rules.RULE_FILES):
        whole, conditions = (
            rules.measure(binary, directory, each, data.end, evaluations=evaluations, interval=interval)
            for each in (group, rules.without_templates(group))
        )
        yield whole, conditions


def _head_table(directory: Path, data: samples.Data, options: argparse.Namespace) -> str:
    """Evaluate the conditions of each group of alerts on samples in Prometheus's head, and return the costs as text."""
    binary, promtool = required_program("prometheus"), required_program("promtool")
    found = head.read(options.head) or head.create(promtool, binary, directory, data.end, options.head)
    costs = [
        rules.measure(
            binary,
            options.head,
            rules.without_templates(group),
            found.end,
            evaluations=options.evaluations,
            interval=options.interval,
            moved=found.moved,
        )
        for group in rules.groups_in(rules.ALERTS)
    ]
    return rule_tables([(cost, cost) for cost in costs], options.top)


def rule_tables(costs: Sequence[tuple[rules.GroupCost, rules.GroupCost]], top: int) -> str:
    """Return the costs of groups, with and without templates, and of the slowest conditions as text."""
    rows: list[Sequence[str]] = [
        ("rules", "number", "CPU of an evaluation, s", "conditions only, s", "duration, s", "alerts")
    ]
    for whole, conditions in costs:
        seconds = map(number, (whole.cpu, conditions.cpu, whole.duration))
        rows.append((whole.name, str(whole.rules), *seconds, str(whole.alerts)))
    slowest = sorted((each for _, cost in costs for each in cost.slowest), key=lambda each: -each[1])
    listed = [("condition of a rule", "duration, s"), *((name, number(seconds)) for name, seconds in slowest[:top])]
    return f"{aligned(rows)}\n\n{aligned(listed)}\n"


if __name__ == "__main__":
    main()
