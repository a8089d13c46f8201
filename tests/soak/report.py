"""What a soak comes to: a small table, and whether everything held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from exporter.metrics.catalogue import PREFIX
from tests.soak.scraper import Score
from tests.soak.turnover import COUNTERS
from tests.soak.vitals import Vitals, grown

ACCOUNT = 'account="default"'


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was seen.

    Attributes:
        seed: of what happened by chance.
        minutes: how long it took.
        first: of the process, in the first minute after every fault was there once.
        last: in the last minute.
        most: the most of each at any moment.
        minutely: the course of it, minute by minute.
        scores: one of each scraper.
        page: the samples of the last page.
        truth: what the counters must be.
        met: how many requests met each fault.
        strangers: requests to the upstream without the key.
        leaks: how often the key was found in what the program said.
        code: its exit code.
    """

    seed: int
    minutes: float
    first: Vitals
    last: Vitals
    most: Vitals
    minutely: Sequence[Vitals]
    scores: Sequence[Score]
    page: Mapping[str, float]
    truth: Mapping[str, float]
    met: Mapping[str, int]
    strangers: int
    leaks: int
    code: int

    @property
    def good(self) -> bool:
        """Whether everything held."""
        wrong = [name for name in COUNTERS if self.counted(name) != self.truth[name]]
        problems = [problem for score in self.scores for problem in score.problems]
        return not (wrong or problems or grown(self.first, self.last) or self.strangers or self.leaks or self.code)

    def counted(self, name: str) -> float | None:
        """A counter of the exporter's, by the name that the truth has for it."""
        bare, brace, labels = name.partition("{")
        return self.page.get(f"{PREFIX}{bare}{{{ACCOUNT},{labels}" if brace else f"{PREFIX}{bare}{{{ACCOUNT}}}")

    def sum(self, name: str) -> int:
        """A family of the exporter's, added up."""
        return int(sum(value for sample, value in self.page.items() if sample.startswith(f"{PREFIX}{name}{{")))

    def table(self) -> str:
        """All of it in words and figures."""
        return "\n".join((*self._weights(), "", *self._counters(), "", *self._course()))

    def _weights(self) -> Iterator[str]:
        fat = grown(self.first, self.last)
        yield _line("process", "minute one", "last minute", "most", "")
        for each in fields(Vitals):
            name = "RSS, kB" if each.name == "rss" else each.name
            numbers = (f"{getattr(vitals, each.name):,}" for vitals in (self.first, self.last, self.most))
            yield _line(name, *numbers, "GROWN" if each.name in fat else "flat")
        yield "RSS by the minute, MB: " + " ".join(f"{vitals.rss / 1000:.0f}" for vitals in self.minutely)

    def _counters(self) -> Iterator[str]:
        yield _line("counter", "truth", "exporter", "", "")
        for name in COUNTERS:
            told, true = self.counted(name), self.truth[name]
            yield _line(name, f"{true:,.0f}", f"{told or 0:,.0f}", "", "equal" if told == true else "DIFFERENT")

    def _course(self) -> Iterator[str]:
        scrapes, mischief = (sum(getattr(score, name) for score in self.scores) for name in ("scrapes", "mischief"))
        size, slowest = sum(score.size for score in self.scores), max(score.slowest for score in self.scores)
        problems = [problem for score in self.scores for problem in score.problems]
        polls, failed = self.sum("exporter_polls_total"), self.sum("exporter_poll_failures_total")
        requests, retries = self.sum("exporter_api_requests_total"), self.sum("exporter_api_retries_total")
        values, sessions = self.sum("exporter_invalid_values_total"), self.sum("exporter_invalid_sessions_total")
        yield f"{self.minutes:g} minutes, seed {self.seed}, exit code {self.code}"
        yield f"{scrapes:,} scrapes answered 200 and parsed, {size / 1e9:.1f} GB of text"
        yield f"{len(problems):,} scrapes that were not; the slowest took {slowest:.2f} s; {mischief:,} rude visits"
        yield from problems[:5]
        yield f"{polls:,} polls, of which {failed:,} failed; {requests:,} requests, {retries:,} retries"
        yield f"{values:,} values and {sessions:,} sessions left out"
        yield f"requests without the key: {self.strangers}; the key in a log or on a page: {self.leaks}"
        yield "requests that met a fault: " + ", ".join(f"{name} {count}" for name, count in sorted(self.met.items()))


def _line(name: str, *cells: str) -> str:
    return f"{name:<46}" + "".join(f"{cell:>16}" for cell in cells)
