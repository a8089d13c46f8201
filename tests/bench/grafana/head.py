"""The last samples of the blocks in the head of a Prometheus, where a running Prometheus has those of the last hours.

A Prometheus scrapes pages with samples of the past, moved to the present. Afterwards its data has a write-ahead log and
no block, so that each Prometheus with this data begins with the samples in its head.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Final

from tests.bench.grafana.rules import BEFORE_END, flags, metrics_of, remove_head
from tests.support.running import running_prometheus

LONGEST_RULE: Final = 35 * 60.0
"""Seconds in which the alerts look back: a baseline of 30 minutes, 5 minutes ago."""

LINES_OF_A_PAGE: Final = 500_000
SCRAPE_INTERVAL: Final = 10
"""Seconds in which a page of this size is scraped."""

_META: Final = "bench-head.json"


@dataclass(frozen=True, slots=True)
class Head:
    """What the data contain.

    Attributes:
        end: Unix seconds of the last samples.
        moved: seconds by which the samples were moved.
    """

    end: float
    moved: int


def read(directory: Path) -> Head | None:
    """Return what the data of a directory contain, or None if there are none."""
    path = directory / _META
    return Head(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def create(
    promtool: str, prometheus: str, blocks: Path, end: float, directory: Path, *, interval: int = SCRAPE_INTERVAL
) -> Head:
    """Write data without blocks.

    Prometheus accepts samples up to an hour older than the newest ones, which are its own of the scrapes.

    Args:
        promtool: path of the program.
        prometheus: path of the program.
        blocks: directory with blocks.
        end: Unix seconds of the last samples in them.
        directory: for the data.
        interval: seconds between two scrapes.
    """
    moved = int(time.time() - end)
    start = end - LONGEST_RULE - 2 * BEFORE_END
    window = (f"--min-time={start * 1000:.0f}", f"--max-time={end * 1000:.0f}")
    directory.mkdir(parents=True)
    (blocks / "wal").mkdir()  # without which promtool dumps nothing
    with (
        subprocess.Popen([promtool, "tsdb", "dump", *window, str(blocks)], stdout=subprocess.PIPE) as dump,
        _served(_pages(_lines(dump), moved)) as pages,
    ):
        config = {
            "scrape_configs": [
                {
                    "job_name": "replay",
                    "scrape_interval": f"{interval}s",
                    "scrape_timeout": f"{interval}s",
                    "honor_labels": True,
                    "static_configs": [{"targets": [f"127.0.0.1:{pages.port}"]}],
                }
            ]
        }
        with running_prometheus(prometheus, directory, config, *flags(), data=directory) as running:
            pages.wait()
            appended = metrics_of(running, "prometheus_tsdb_head_samples_appended_total")
    remove_head(blocks)
    if dump.returncode:
        raise RuntimeError("promtool cannot read the blocks")
    if sum(appended.values()) < pages.lines:
        raise RuntimeError(f"only {sum(appended.values()):g} of {pages.lines} samples were accepted")
    head = Head(end + moved, moved)
    (directory / _META).write_text(json.dumps(asdict(head)), encoding="utf-8")
    return head


def _lines(dump: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    assert dump.stdout is not None
    yield from dump.stdout


def _pages(lines: Iterator[bytes], moved: int) -> Iterator[list[bytes]]:
    """Yield the lines of pages in the text format, with the times of samples moved by some seconds."""
    converted = (exposed(line, moved) for line in lines)
    while page := list(islice(converted, LINES_OF_A_PAGE)):
        yield page


def exposed(line: bytes, moved: int) -> bytes:
    """Return a line of promtool's dump in the text format, moved by some seconds."""
    sample, milliseconds = line.rsplit(b" ", 1)
    name, rest = sample.removeprefix(b'{__name__="').split(b'"', 1)
    return b"%s{%s %d\n" % (name, rest.removeprefix(b", "), int(milliseconds) + moved * 1000)


class _Pages:
    """Counts what is served.

    Attributes:
        port: of the server.
        lines: number of the lines that have been served.
    """

    def __init__(self, pages: Iterator[list[bytes]]) -> None:
        self.port = 0
        self.lines = 0
        self._pages = pages
        self._is_done = threading.Event()

    def next(self) -> bytes:
        """Return the next page. If there is none, Prometheus has all pages: it sends one request after the other."""
        page = next(self._pages, [])
        self.lines += len(page)
        if not page:
            self._is_done.set()
        return b"".join(page)

    def wait(self) -> None:
        """Wait until all pages are scraped."""
        self._is_done.wait()


@contextmanager
def _served(lines: Iterator[list[bytes]]) -> Iterator[_Pages]:
    pages = _Pages(lines)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.next()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        pages.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield pages
        finally:
            server.shutdown()
            thread.join()
