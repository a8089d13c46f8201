"""Two replicas that are restarted in turn: totals over both have no gap, and rates stay near the true value."""

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from grafana.builder import rule_files
from grafana.builder.base_urls import BaseUrls
from grafana.builder.recording_rules import recording_rules
from grafana.builder.thresholds import DEFAULT
from tests.engines.comparison import Result
from tests.engines.programs import Programs, named
from tests.engines.remote_write_check import agent_config
from tests.engines.report import Report
from tests.engines.servers import Api
from tests.engines.stage import scrape_config, serving_account, wait_for_targets
from tests.engines.thanos import running_query, running_receive
from tests.support.rows import Row
from tests.support.running import Exporter, running_exporter, running_prometheus
from tests.support.simulated import live_row

INTERVAL: Final = 5.0
"""Seconds between two polls, and between two scrapes."""

PERIOD: Final = 60.0
"""Seconds between two restarts; each replica is restarted in every second one."""

WARM_UP: Final = 300.0
"""Seconds of the window of rates, before which they increase."""

SESSIONS: Final = 10
BYTES_PER_SECOND: Final = 250_000.0

MAX_DEDUPLICATION_GAP: Final = 3
"""Scrapes. The staleness marker of a replica that restarts ends the series. After it, Thanos Query uses no sample of
the other replica before twice the distance of the last samples has passed.
"""

MAX_RATE_DIFFERENCE: Final = 0.15
"""Relative; a replica does not count what arrives between its last poll and its first one after a restart."""


OVER_REPLICAS: Final = tuple(
    f"{operation} by ({labels}) ({metric})"
    for operation in ("max", "min")
    for labels, metric in (
        ("account", "livepeer_studio_up"),
        ("account, state", "livepeer_studio_sessions"),
        ("account, stream_id, session_id", "livepeer_studio_session_healthy"),
        ("account, stream_id, session_id", "livepeer_studio_session_source_bytes"),
    )
)
RATE: Final = "account:livepeer_studio_source_bytes:rate5m"


@dataclass(frozen=True, slots=True)
class SteadySessions:
    """Active sessions that receive media at a constant rate.

    Attributes:
        start: Unix seconds at which they started.
    """

    start: float

    def rows(self, now: float) -> Sequence[Row]:
        """Return the rows at a time."""
        seconds = now - self.start
        return [
            live_row(
                number,
                parentId=f"stream-{number}",
                createdAt=int(1000 * self.start),
                lastSeen=int(1000 * now),
                sourceBytes=int(BYTES_PER_SECOND * seconds),
                transcodedBytes=int(3 * BYTES_PER_SECOND * seconds),
                sourceSegments=int(seconds / 2),
                transcodedSegments=int(seconds / 2),
                sourceSegmentsDuration=seconds,
                transcodedSegmentsDuration=seconds,
            )
            for number in range(1, SESSIONS + 1)
        ]


class Replica:
    """One of the exporters, which keeps its port when it is restarted.

    Attributes:
        exporter: the running exporter.
    """

    def __init__(self, url: str) -> None:
        self._arguments = ("--base-url", url, "--poll-interval", f"{INTERVAL:g}s")
        self._stack = ExitStack()
        self.exporter = self._stack.enter_context(running_exporter(*self._arguments))

    def restart(self, number: int) -> None:
        """End the process with a signal, and start another one."""
        self.exporter.send_signal(number)
        self.exporter.wait_for_exit()
        address = f"127.0.0.1:{self.exporter.port}"
        self.stop()
        arguments = (*self._arguments, "--web.listen-address", address)
        self.exporter = self._stack.enter_context(running_exporter(*arguments))

    def stop(self) -> None:
        """Kill the process if it is running."""
        self._stack.close()


def check_restarts(programs: Programs, directory: Path, report: Report, minutes: float) -> None:
    """Restart two replicas in turn, and look for gaps in Prometheus, and in Thanos after it removed duplicates."""
    with ExitStack() as stack:
        url = stack.enter_context(serving_account(SteadySessions(time.time() - 600)))
        replicas = [Replica(url), Replica(url)]
        for replica in replicas:
            stack.callback(replica.stop)
            replica.exporter.wait_for_event("poll finished")
        exporters = {str(number): replica.exporter for number, replica in enumerate(replicas)}
        prometheus = _start_prometheus(programs, directory, exporters, stack)
        thanos = _start_thanos(programs, directory, exporters, stack)
        wait_for_targets(prometheus, "up", len(replicas))
        wait_for_targets(thanos, "up", 1)
        begin = time.time() + WARM_UP
        restarts = _restart_in_turn(replicas, begin + 60 * minutes)
        times = [begin + INTERVAL * step for step in range(int((time.time() - 2 * INTERVAL - begin) / INTERVAL))]
        subject = f"{minutes:g} minutes with {restarts} restarts, {named('Prometheus', programs.prometheus)}"
        _check_prometheus(prometheus, times, subject, report)
        deduplicated = f"{subject}, {named('Thanos', programs.thanos)}"
        each_replica = replace(thanos, parameters={"dedup": "false"})
        _check_gaps(each_replica, OVER_REPLICAS, times, f"{deduplicated}, over replicas", report)
        _check_deduplicated(thanos, times, deduplicated, report)


def _restart_in_turn(replicas: Sequence[Replica], end: float) -> int:
    """Restart a replica in each period until a time, by SIGTERM and by SIGKILL; return the number of restarts."""
    count = 0
    while (due := time.time() + PERIOD) < end:
        time.sleep(due - time.time())
        number = signal.SIGKILL if count // len(replicas) % 2 else signal.SIGTERM
        replicas[count % len(replicas)].restart(number)
        count += 1
    time.sleep(max(0.0, end - time.time()))
    return count


def _start_prometheus(programs: Programs, directory: Path, exporters: Mapping[str, Exporter], stack: ExitStack) -> Api:
    """Start Prometheus, which scrapes both replicas and evaluates all rules."""
    home = directory / "prometheus"
    home.mkdir()
    for name, groups in (
        ("recording", rule_files.recording_groups(DEFAULT)),
        ("alerts", rule_files.alert_groups(DEFAULT, BaseUrls())),
    ):
        (home / f"{name}.rules.yaml").write_text(rule_files.to_yaml(groups), encoding="utf-8")
    config = {
        "rule_files": [str(home / "*.rules.yaml")],
        "scrape_configs": [scrape_config("livepeer", exporters, f"{INTERVAL:g}s")],
    }
    return Api(stack.enter_context(running_prometheus(programs.prometheus, home, config)).port, {})


def _start_thanos(programs: Programs, directory: Path, exporters: Mapping[str, Exporter], stack: ExitStack) -> Api:
    """Start Thanos, and an agent for each replica that differs from the other in the external label only."""
    receive = stack.enter_context(running_receive(programs.thanos, directory))
    for replica, exporter in exporters.items():
        home = directory / f"agent-{replica}"
        home.mkdir()
        scrape = scrape_config("livepeer", {"exporter": exporter}, f"{INTERVAL:g}s")
        config = agent_config(replica, [receive.url], [scrape])
        stack.enter_context(running_prometheus(programs.prometheus, home, config, "--agent"))
    return stack.enter_context(running_query(programs.thanos, directory, [receive.store]))


def _check_prometheus(prometheus: Api, times: Sequence[float], subject: str, report: Report) -> None:
    starts = set(_values(prometheus, "process_start_time_seconds", times))
    report.add(f"{subject}, processes", len(starts) > 2, f"{len(starts)} processes were scraped")
    names = [rule.record for rule in recording_rules(DEFAULT)]
    # The account has no webhook and no configured streams, so that some rules have no series.
    recorded = [name for name in dict.fromkeys(names) if _range(prometheus, f'{{__name__="{name}"}}', times)]
    _check_gaps(prometheus, [*OVER_REPLICAS, *recorded], times, subject, report)
    active = _values(prometheus, "count(max by (session_id) (livepeer_studio_session_active == 1))", times)
    report.add(f"{subject}, active sessions", set(active) == {SESSIONS}, f"{sorted(set(active))}")
    rates = [each / (SESSIONS * BYTES_PER_SECOND) for each in _values(prometheus, RATE, times)]
    near = bool(rates) and max(abs(each - 1) for each in rates) <= MAX_RATE_DIFFERENCE
    report.add(f"{subject}, ingest rate", near, f"{min(rates):.3f} to {max(rates):.3f} of the true one")
    firing = _range(prometheus, 'ALERTS{alertstate="firing"}', times)
    report.add(f"{subject}, alerts", not firing, f"{sorted(dict(labels)['alertname'] for labels in firing)}")


def _check_gaps(api: Api, expressions: Sequence[str], times: Sequence[float], subject: str, report: Report) -> None:
    """Check that each series of the expressions has a sample at each time."""
    count, gaps = 0, {}
    for expression in expressions:
        result = _range(api, expression, times)
        count += len(result)
        missing = sum(len(times) - len(samples) for samples in result.values())
        if missing or not result:
            gaps[expression] = missing
    report.add(f"{subject}, gaps", not gaps, f"{count} series of {len(times)} samples; missing: {gaps or 0}")


def _check_deduplicated(thanos: Api, times: Sequence[float], subject: str, report: Report) -> None:
    """Check that no gap is longer than the deduplication makes it."""
    longest = {}
    for expression in ('livepeer_studio_sessions{state="active"}', "up"):
        (samples,) = _range(thanos, expression, times).values()
        # Times are a step apart, so that the distance of two samples without a gap is one.
        steps = [0, *(round((time - times[0]) / INTERVAL) + 1 for time in sorted(samples)), len(times) + 1]
        longest[expression] = max(after - before - 1 for before, after in pairwise(steps))
    ok = max(longest.values()) <= MAX_DEDUPLICATION_GAP
    report.add(f"{subject}, longest gaps", ok, f"in scrapes: {longest}")


def _values(api: Api, expression: str, times: Sequence[float]) -> list[float]:
    return [value for samples in _range(api, expression, times).values() for value in samples.values()]


def _range(api: Api, expression: str, times: Sequence[float]) -> Result:
    return api.range(expression, times[0], times[-1], INTERVAL)
