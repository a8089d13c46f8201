"""The results of a soak as a table, and the checks of these results."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from exporter.metrics.catalogue import PREFIX
from tests.soak.process_stats import ProcessStats, grown_resources, is_rising
from tests.soak.scraper import ScrapeResults
from tests.soak.turnover import COUNTERS

MAX_LINES_PER_MINUTE: Final = 120
"""Log lines at level info: a fault in each of 30 polls per minute logs a few lines, and clients hardly any."""

ACCOUNT: Final = 'account="default"'


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a soak.

    Attributes:
        seed: of all random numbers.
        minutes: the duration after the warm-up.
        first_quarter: the process in the first quarter of the duration.
        last_quarter: the process in the last quarter.
        rss_trend: kB by which the resident memory rises over the duration, by linear regression.
        maximum: the maximum of each resource over the duration.
        by_minute: the process in each minute.
        scrapes: the results of each scraper.
        disturbances: the number of each disturbance.
        disturbance_problems: descriptions of unexpected reactions to them.
        log_lines: the number of lines by event.
        total_minutes: the whole duration, in which these lines were logged.
        page: the samples of the last page.
        truth: the true values of the counters.
        faulty_requests: the number of requests by the id of their fault.
        unauthorized_requests: the number of requests to the upstream without the key.
        key_findings: the number of outputs of the exporter that contain the key.
        exit_code: of the exporter.
    """

    seed: int
    minutes: float
    first_quarter: ProcessStats
    last_quarter: ProcessStats
    rss_trend: float
    maximum: ProcessStats
    by_minute: Sequence[ProcessStats]
    scrapes: Sequence[ScrapeResults]
    disturbances: Mapping[str, int]
    disturbance_problems: Sequence[str]
    log_lines: Mapping[str, int]
    total_minutes: float
    page: Mapping[str, float]
    truth: Mapping[str, float]
    faulty_requests: Mapping[str, int]
    unauthorized_requests: int
    key_findings: int
    exit_code: int

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return not (
            [name for name in COUNTERS if self.exported(name) != self.truth[name]]
            or self.problems
            or grown_resources(self.first_quarter, self.last_quarter)
            or is_rising(self.first_quarter, self.rss_trend)
            or self.lines_per_minute > MAX_LINES_PER_MINUTE
            or self.unauthorized_requests
            or self.key_findings
            or self.exit_code
        )

    @property
    def problems(self) -> list[str]:
        """The failed scrapes of all scrapers, and the unexpected reactions to disturbances."""
        return [*(each for results in self.scrapes for each in results.problems), *self.disturbance_problems]

    @property
    def lines_per_minute(self) -> float:
        """The log lines per minute."""
        return sum(self.log_lines.values()) / self.total_minutes

    def exported(self, name: str) -> float | None:
        """Return a counter of the last page, by its name in `truth`."""
        family, brace, labels = name.partition("{")
        return self.page.get(f"{PREFIX}{family}{{{ACCOUNT},{labels}" if brace else f"{PREFIX}{family}{{{ACCOUNT}}}")

    def sum(self, name: str) -> int:
        """Return the sum of a family of the last page."""
        return int(sum(value for sample, value in self.page.items() if sample.startswith(f"{PREFIX}{name}{{")))

    def table(self) -> str:
        """Format all results as text."""
        return "\n".join((*self._resources(), "", *self._counters(), "", *self._totals()))

    def _resources(self) -> Iterator[str]:
        grown = grown_resources(self.first_quarter, self.last_quarter)
        yield _row("process", "first quarter", "last quarter", "maximum", "")
        for each in fields(ProcessStats):
            name = "RSS, kB" if each.name == "rss" else each.name
            stats = (self.first_quarter, self.last_quarter, self.maximum)
            values = (f"{getattr(moment, each.name):,}" for moment in stats)
            yield _row(name, *values, "GROWN" if each.name in grown else "flat")
        rises = is_rising(self.first_quarter, self.rss_trend)
        yield _row("RSS trend, kB", f"{self.rss_trend:+,.0f}", "", "", "RISING" if rises else "flat")
        yield "RSS by minute, MB: " + " ".join(f"{stats.rss / 1000:.0f}" for stats in self.by_minute)

    def _counters(self) -> Iterator[str]:
        yield _row("counter", "truth", "exporter", "", "")
        for name in COUNTERS:
            exported, true = self.exported(name), self.truth[name]
            verdict = "equal" if exported == true else "DIFFERENT"
            yield _row(name, f"{true:,.0f}", f"{exported or 0:,.0f}", "", verdict)

    def _totals(self) -> Iterator[str]:
        scrapes, size = (sum(getattr(each, name) for each in self.scrapes) for name in ("scrapes", "size"))
        abusive, slowest = sum(each.abusive for each in self.scrapes), max(each.slowest for each in self.scrapes)
        polls, failed = self.sum("exporter_polls_total"), self.sum("exporter_poll_failures_total")
        requests, retries = self.sum("exporter_api_requests_total"), self.sum("exporter_api_retries_total")
        values, sessions = self.sum("exporter_invalid_values_total"), self.sum("exporter_invalid_sessions_total")
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faulty_requests.items()))
        yield f"{self.minutes:g} minutes, seed {self.seed}, exit code {self.exit_code}"
        yield f"{scrapes:,} successful scrapes, {size / 1e9:.1f} GB of text; the slowest took {slowest:.2f} s"
        yield f"{len(self.problems):,} problems; {abusive:,} abusive connections"
        yield from self.problems[:10]
        yield f"{polls:,} polls, of which {failed:,} failed; {requests:,} requests, {retries:,} retries"
        yield f"{values:,} invalid values and {sessions:,} invalid sessions dropped"
        yield f"requests without the key: {self.unauthorized_requests}; outputs with the key: {self.key_findings}"
        yield f"requests by fault: {faults}"
        yield "disturbances: " + ", ".join(f"{name} {count}" for name, count in sorted(self.disturbances.items()))
        is_bounded = self.lines_per_minute <= MAX_LINES_PER_MINUTE
        yield f"{self.lines_per_minute:.0f} log lines per minute: {'bounded' if is_bounded else 'TOO MANY'}"
        yield from (f"{count:>8,} {name}" for name, count in Counter(self.log_lines).most_common(8))


def _row(name: str, *cells: str) -> str:
    return f"{name:<46}" + "".join(f"{cell:>16}" for cell in cells)
