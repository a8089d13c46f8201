"""Flood the webhook of the real program, and check that scrapes, API requests and memory do not suffer.

``python -m tests.soak.webhook_flood``: 1,000 calls a second for 30 s, while the page is scraped. The load comes from a
process of its own, and needs a processor of its own: the rate that was reached is part of the report. The same scrapes
before the flood show what the machine itself does to them.
"""

import argparse
import math
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from starlette.types import Receive, Scope, Send

from exporter.metrics.catalogue import PREFIX
from tests.soak.process_stats import trend
from tests.soak.webhook_load import STREAMS, Load, LoadResult, send_load
from tests.support.canary import MARK, scanner
from tests.support.deadlines import HANG
from tests.support.running import Exporter, running_exporter
from tests.support.simulated import Upstream, live_row, serving_in_thread

SESSIONS: Final = 1000
REQUESTS_PER_MINUTE: Final = 60
"""The default of ``--webhook-max-requests-per-minute``."""

SCRAPE_INTERVAL: Final = 0.25
MAX_SCRAPE: Final = 0.1
"""Seconds that a scrape may take."""

MAX_GROWTH: Final = 2048
"""Allowed trend of the resident memory in the last third, in kB, when as many events are remembered as ever are."""

BASELINE_SECONDS: Final = 10.0
RESULTS: Final = {
    "valid": "accepted",
    "replayed": "repeated",
    "forged": "unauthorized",
    "broken": "invalid",
    "large": "too_large",
    "slow": "too_slow",
}
"""The label ``result`` of each kind of call."""


class CountingUpstream(Upstream):
    """Counts the requests for single streams."""

    of_streams: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        self.of_streams += b"parentId" in scope.get("query_string", b"")
        await super().__call__(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Scrapes over some time.

    Attributes:
        seconds: the duration of each.
        own: the same without the time in which the exporter waited for a processor, which the machine was short of.
        memory: resident memory in kB after each.
        cpu: CPU seconds of the exporter per second.
    """

    seconds: Sequence[float]
    own: Sequence[float]
    memory: Sequence[int]
    cpu: float

    def __str__(self) -> str:
        cpu = f"exporter CPU {self.cpu:.0%}"
        return f"{len(self.seconds)}, {_distribution(self.seconds)}; own time {_distribution(self.own)}; {cpu}"


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a flood.

    Attributes:
        load: what was sent.
        before: the scrapes before it.
        during: the scrapes during it.
        requests: API requests for single streams.
        counted: calls by result, on the page.
        leaks: outputs that contain a stream key.
    """

    load: LoadResult
    before: Scrapes
    during: Scrapes
    requests: int
    counted: Mapping[str, float]
    leaks: Sequence[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The trend of the memory in the last third, in kB."""
        return trend(self.during.memory[-(len(self.during.memory) // 3) :])

    @property
    def max_requests(self) -> int:
        """The requests that the setting allows in this time."""
        return REQUESTS_PER_MINUTE * math.ceil(self.load.seconds / 60)

    def problems(self) -> list[str]:
        """Return what does not hold."""
        wrong = [f"{count} calls: {kind}" for kind, count in self.load.wrong.items()]
        if (slowest := max(self.during.own)) > MAX_SCRAPE:
            wrong.append(f"a scrape took {slowest * 1000:.0f} ms of the exporter's own time")
        if self.requests > self.max_requests:
            wrong.append(f"{self.requests} API requests for single streams")
        if self.growth > MAX_GROWTH:
            wrong.append(f"the memory has grown by {self.growth:.0f} kB in the last third")
        sent = {RESULTS[kind]: count for kind, count in self.load.sent.items()}
        wrong += [
            f"{result}: {sent[result]} sent, {self.counted[result]} counted"
            for result in sent
            if sent[result] != self.counted[result]
        ]
        return wrong + [f"a stream key is in {source}" for source in self.leaks]

    def __str__(self) -> str:
        load, memory = self.load, self.during.memory
        later = memory[-len(memory) // 3]
        lines = [
            f"calls: {load.rate:.0f} a second for {load.seconds:.1f} s, the latest {load.late:.2f} s late",
            f"by kind: {dict(load.sent)}",
            f"scrapes before: {self.before}",
            f"scrapes during: {self.during}",
            f"API requests for single streams: {self.requests} of at most {self.max_requests}",
            f"memory: {self.before.memory[-1]} kB before, {later} kB after 2/3 of it, {memory[-1]} kB after",
            f"trend of the memory in the last third: {self.growth:+.0f} kB",
            *(f"FAILED: {problem}" for problem in self.problems()),
        ]
        return "\n".join(lines)


def flood(rate: float, seconds: float, seed: int) -> Report:
    """Run the exporter, flood it, and return the results."""
    upstream = CountingUpstream([live_row(number, parentId=f"parent-{number % STREAMS}") for number in range(SESSIONS)])
    with ExitStack() as stack:
        secret_file = Path(stack.enter_context(TemporaryDirectory())) / "secret"
        secret_file.write_text("the secret of the flood")
        url = stack.enter_context(serving_in_thread(upstream))
        flags = ("--webhook-listen-address", "127.0.0.1:0", "--webhook-secret-file", str(secret_file))
        exporter = stack.enter_context(running_exporter("--base-url", url, *flags))
        port = exporter.wait_for_event("listening for webhooks")["port"]
        exporter.wait_for_value(f'{PREFIX}up{{account="default"}}', 1)
        before = scrape_for(exporter, BASELINE_SECONDS)
        load = Load(port, "the secret of the flood", f"key-{MARK}", rate, seconds, seed)
        spawn = multiprocessing.get_context("spawn")
        results = spawn.Queue()
        sender = spawn.Process(target=send_load, args=(load, results))
        sender.start()
        during = scrape_for(exporter, seconds)
        result = results.get(timeout=HANG)
        sender.join()
        return Report(result, before, during, upstream.of_streams, counted(exporter), list(scanner.findings))


def scrape_for(exporter: Exporter, seconds: float) -> Scrapes:
    """Scrape for some time."""
    durations, own, memory = list[float](), list[float](), list[int]()
    began, cpu = time.monotonic(), cpu_seconds(exporter)
    while (started := time.monotonic()) < began + seconds:
        waited = waiting_seconds(exporter)
        assert exporter.request(Accept_Encoding="gzip").status == 200
        durations.append(time.monotonic() - started)
        own.append(durations[-1] - (waiting_seconds(exporter) - waited))
        memory.append(exporter.process_status("VmRSS"))
        time.sleep(max(0.0, started + SCRAPE_INTERVAL - time.monotonic()))
    return Scrapes(durations, own, memory, (cpu_seconds(exporter) - cpu) / (time.monotonic() - began))


def cpu_seconds(exporter: Exporter) -> float:
    """Return the CPU seconds that the exporter has used."""
    fields = Path(f"/proc/{exporter.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waiting_seconds(exporter: Exporter) -> float:
    """Return how long the exporter was ready to run, but waited for a processor."""
    return int(Path(f"/proc/{exporter.process.pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def _distribution(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    values = (statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1])
    median, p99, maximum = (f"{value * 1000:.1f} ms" for value in values)
    return f"median {median}, p99 {p99}, maximum {maximum}"


def counted(exporter: Exporter) -> Mapping[str, float]:
    """Return the calls by result, over all events."""
    values = exporter.request().values
    return {
        result: sum(
            value
            for sample, value in values.items()
            if sample.startswith(f"{PREFIX}webhooks_total{{") and f'result="{result}"' in sample
        )
        for result in RESULTS.values()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Flood the program and print the report; the exit code is 0 if everything holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.webhook_flood", description="A flood of webhooks.")
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the calls (default: %(default)s)")
    options = parser.parse_args(arguments)
    report = flood(options.rate, options.seconds, options.seed)
    print(report)
    return 1 if report.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
