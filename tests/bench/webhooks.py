"""From an event at the API to its sample on /metrics, with and without webhooks, side by side in one run.

``python -m tests.bench.webhooks``: two exporters poll the same simulated account at the default interval, and one of
them receives its webhooks. Both pages are scraped all the time. The result is the time from each event until the first
page that shows it, so it includes up to one interval of these scrapes.
"""

import argparse
import asyncio
import math
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from exporter.metrics.catalogue import PREFIX
from exporter.simulator.api import create_app
from exporter.simulator.events import Event, EventKind
from exporter.simulator.serve import serving
from exporter.simulator.webhooks import WebhookSender
from exporter.simulator.world import World
from tests.support.canary import KEY
from tests.support.running import Exporter, running_exporter

SCRAPE_INTERVAL: Final = 0.2
"""Seconds between two scrapes of an exporter."""

GRACE: Final = 60.0
"""Seconds before the end of the run from which events no longer count, so that each can reach both pages."""

EVENTS: Final = {
    EventKind.CREATED: "a session is created",
    EventKind.RECORDING_READY: "a recording is ready",
}
"""The events that are measured. Each is about one session, and is sent as a webhook."""

_SHOWN: Final = {
    EventKind.CREATED: re.compile(rf'^{PREFIX}session_active{{[^}}]*session_id="([^"]+)"', re.MULTILINE),
    EventKind.RECORDING_READY: re.compile(
        rf'^{PREFIX}session_recording_status{{[^}}]*session_id="([^"]+)"[^}}]*status="ready"}} 1', re.MULTILINE
    ),
}
"""The lines that show an event, by the id of its session."""

REQUESTS: Final = f"{PREFIX}exporter_api_requests_total"
CPU: Final = "process_cpu_seconds_total"


@dataclass
class Observed:
    """What one exporter has shown.

    Attributes:
        exporter: the program.
        shown: Unix seconds of the first page that showed an event of a session.
    """

    exporter: Exporter
    shown: dict[tuple[EventKind, str], float] = field(default_factory=dict)

    async def observe(self) -> None:
        """Scrape until this is cancelled."""
        while True:
            page = await asyncio.to_thread(self.exporter.request)
            now, text = time.time(), page.body.decode()
            for kind, line in _SHOWN.items():
                for session_id in line.findall(text):
                    self.shown.setdefault((kind, session_id), now)
            await asyncio.sleep(SCRAPE_INTERVAL)

    def total(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        return sum(
            value for sample, value in self.exporter.request().values.items() if sample.partition("{")[0] == name
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of a table.

    Attributes:
        name: of the exporter.
        delays: seconds from each event to the page.
        missing: number of events that did not reach it.
        requests: API requests a minute.
        cpu: CPU seconds a minute.
    """

    name: str
    delays: Mapping[EventKind, Sequence[float]]
    missing: int
    requests: float
    cpu: float


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that a share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def table(candidates: Sequence[Candidate]) -> str:
    """Return the results as a table in Markdown."""
    lines = ["| event | exporter | events | median | p99 | maximum |", "|---|---|---|---|---|---|"]
    for kind, description in EVENTS.items():
        for each in candidates:
            delays = each.delays[kind]
            if delays:
                values = (statistics.median(delays), quantile(delays, 0.99), max(delays))
                cells = " | ".join(f"{value:.2f} s" for value in values)
                lines.append(f"| {description} | {each.name} | {len(delays)} | {cells} |")
    lines += ["", "| exporter | API requests a minute | CPU seconds a minute | events not shown |", "|---|---|---|---|"]
    lines += [f"| {each.name} | {each.requests:.1f} | {each.cpu:.2f} | {each.missing} |" for each in candidates]
    return "\n".join(lines)


def candidate(
    name: str, observed: Observed, events: Sequence[Event], minutes: float, before: Mapping[str, float]
) -> Candidate:
    """Return the results of one exporter.

    Args:
        name: of the exporter.
        observed: what it has shown.
        events: those that count.
        minutes: the duration of the run.
        before: the values of `REQUESTS` and `CPU` at its start.
    """
    delays: dict[EventKind, list[float]] = {kind: [] for kind in EVENTS}
    for event in events:
        shown = observed.shown.get((event.kind, event.session_id))
        if shown is not None:
            delays[event.kind].append(shown - event.time)
    requests, cpu = ((observed.total(metric) - before[metric]) / minutes for metric in (REQUESTS, CPU))
    return Candidate(name, delays, len(events) - sum(map(len, delays.values())), requests, cpu)


async def measure(options: argparse.Namespace) -> list[Candidate]:
    """Run both exporters and return their results."""
    world = World(options.seed, options.streams, start=time.time(), speed=options.speed)
    async with serving(create_app(world, key=KEY, now=time.time)) as url, AsyncExitStack() as closing:
        directory = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        (directory / "secret").write_text("a secret of the benchmark")
        webhook = ("--webhook-listen-address", "127.0.0.1:0", "--webhook-secret-file", str(directory / "secret"))
        stack = ExitStack()
        closing.push_async_callback(asyncio.to_thread, stack.close)

        async def start(*flags: str) -> Observed:
            # The exporter is started from a thread, since this one serves its API.
            running = running_exporter("--base-url", url, "--log.level", "info", *flags)
            return Observed(await asyncio.to_thread(stack.enter_context, running))

        exporters = {"without webhooks": await start(), "with webhooks": await start(*webhook)}
        listening = await asyncio.to_thread(
            exporters["with webhooks"].exporter.wait_for_event, "listening for webhooks"
        )
        target = f"http://127.0.0.1:{listening['port']}/webhook/default"
        sender = WebhookSender(world, target, "a secret of the benchmark", now=time.time)
        for each in exporters.values():
            await asyncio.to_thread(each.exporter.wait_for_value, f'{PREFIX}up{{account="default"}}', 1)
        tasks = [
            asyncio.create_task(sender.run()),
            *(asyncio.create_task(each.observe()) for each in exporters.values()),
        ]
        began = time.time()
        before = {name: await _values(each) for name, each in exporters.items()}
        await asyncio.wait(tasks, timeout=options.minutes * 60, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        failures = [
            result for result in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(result, Exception)
        ]
        if failures:
            raise failures[0]
        ended = time.time()
        events = [event for event in world.events(began, ended - GRACE) if event.kind in EVENTS]
        minutes = (ended - began) / 60
        return [
            await asyncio.to_thread(candidate, name, each, events, minutes, before[name])
            for name, each in exporters.items()
        ]


async def _values(observed: Observed) -> Mapping[str, float]:
    return {metric: await asyncio.to_thread(observed.total, metric) for metric in (REQUESTS, CPU)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the tables; the exit code is 1 if an event did not reach a page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.webhooks", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=12.0, help="duration, over 1 (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=24, help="number of streams (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=8.0, help="factor of the simulator (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated account (default: %(default)s)")
    candidates = asyncio.run(measure(parser.parse_args(arguments)))
    print(table(candidates))
    return 1 if any(each.missing for each in candidates) else 0


if __name__ == "__main__":
    sys.exit(main())
