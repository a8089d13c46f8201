"""An hour of scrapes of an exporter with a simulated account, as blocks of Prometheus.

Exporter and API run in this process on a manual clock. The samples go to a file while they are produced, so that memory
does not depend on their number.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx

from exporter.metrics.text_format import Format
from exporter.runtime.environment import Environment
from exporter.simulator.api import create_app
from tests.bench.candidates import BASE_URL, ExporterCandidate, scrape_parts
from tests.bench.grafana.world import DenseWorld
from tests.bench.processes import KEY
from tests.fleet.manual import CachedRows
from tests.support.clock import ManualClock

START: Final = 1_760_004_000.0
"""Unix seconds of the first poll. An hour from then on is within one block of two hours."""

INTERVAL: Final = 30.0
"""Seconds between two polls, and between two scrapes: the defaults."""

SCRAPE_DELAY: Final = 10.0
"""Seconds between a poll and the scrape after it. The times of scrapes are multiples of the interval."""

TARGET: Final = b'job="livepeer",instance="exporter:9877"'

_META: Final = "bench.json"


@dataclass(frozen=True, slots=True)
class Data:
    """What the blocks contain.

    Attributes:
        sessions: number of sessions that were asked for.
        streams: number of streams.
        scrapes: number of scrapes.
        series: number of samples of the last scrape.
        page_bytes: size of its page in the text format, uncompressed.
        compressed_bytes: size of the compressed page.
        end: Unix seconds of the last scrape.
    """

    sessions: int
    streams: int
    scrapes: int
    series: int
    page_bytes: int
    compressed_bytes: int
    end: float


def read(directory: Path) -> Data | None:
    """Return what the blocks of a directory contain, or None if there are none."""
    path = directory / _META
    return Data(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def create(promtool: str, directory: Path, sessions: int, streams: int, scrapes: int) -> Data:
    """Write the blocks of a simulated account to a directory; its file of samples is removed afterwards.

    Args:
        promtool: path of the program.
        directory: for the blocks, in the format of Prometheus's storage.
        sessions: number of sessions at a time.
        streams: number of streams.
        scrapes: one every `INTERVAL` seconds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    samples = directory / "samples.txt"
    data = asyncio.run(_write(samples, sessions, streams, scrapes))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(samples), str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    samples.unlink()
    (directory / _META).write_text(json.dumps(asdict(data)), encoding="utf-8")
    return data


async def _write(path: Path, sessions: int, streams: int, scrapes: int) -> Data:
    clock = ManualClock(START)
    world = DenseWorld(1, sessions, streams, START)
    transport = httpx.ASGITransport(create_app(CachedRows(world), key=KEY, now=clock.now))
    environment = Environment(
        clock.now, clock.monotonic, random.Random(1).random, redact=lambda _: None, sleep=clock.sleep
    )
    lines = Lines(TARGET)
    page, compressed, time = b"", 0, START
    async with httpx.AsyncClient(transport=transport) as client:
        exporter = ExporterCandidate(client, BASE_URL, environment)
        with path.open("wb") as file:
            for number in range(scrapes):
                clock.advance(START + number * INTERVAL - clock.now())
                await exporter.poll()
                clock.advance(SCRAPE_DELAY)
                time = clock.now()
                page = b"".join(await scrape_parts(exporter, Format.TEXT.value, compressed=False))
                file.writelines(lines.of(page, time))
                _report_progress(number + 1, scrapes)
            file.write(b"# EOF\n")
        compressed = sum(map(len, await scrape_parts(exporter)))
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    return Data(sessions, streams, scrapes, series, len(page), compressed, time)


def _report_progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done % 20 == 0:
        print(f"{done} of {total} scrapes", end="\n", file=sys.stderr, flush=True)


class Lines:
    """The lines of OpenMetrics for the pages of one target.

    Args:
        target: its labels.
    """

    def __init__(self, target: bytes) -> None:
        self._target = target
        self._series: dict[bytes, bytes] = {}

    def of(self, page: bytes, time: float) -> Iterator[bytes]:
        """Yield a line for each sample of a page in the text format, and for ``up``."""
        end = b" %.3f\n" % time
        yield b"up{" + self._target + b"} 1" + end
        known = self._series
        for line in page.splitlines():
            if not line.startswith(b"#"):
                sample, _, value = line.rpartition(b" ")
                series = known.get(sample)
                if series is None:
                    series = known[sample] = self._with_target(sample)
                yield series + value + end

    def _with_target(self, sample: bytes) -> bytes:
        name, brace, labels = sample.partition(b"{")
        return name + b"{" + self._target + (b"," + labels if brace else b"}") + b" "
