"""Attack the exporter with clients that request the page and never read it (V01), and measure what others notice.

``python -m tests.soak.slow_readers``: hundreds of clients with tiny receive buffers request the page without
compression and do not read. Meanwhile the metrics, a probe and the status page are requested, each on a new connection
as Prometheus and the kubelet do. Then the clients leave, and return before SIGTERM.
"""

import argparse
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tests.bench.processes import Server, port_in_log, running_upstream, start_exporter, terminate

T = TypeVar("T")

REQUEST: Final = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
TARGETS: Final = {"scrapes": "/metrics", "probes": "/livez", "status pages": "/"}
INTERVAL: Final = 0.5
"""Seconds between two rounds of requests."""
TIMEOUT: Final = 10.0
"""Seconds that a request may take, as in Prometheus by default."""
MAX_GROWTH: Final = 64 * 2**20
MAX_REMAINING_GROWTH: Final = 16 * 2**20
MAX_EXIT_SECONDS: Final = 5.0


@dataclass(slots=True)
class Requests:
    """The requests of one target: how many were answered, how long the slowest took, and the errors of the others."""

    sent: int = 0
    answered: int = 0
    slowest: float = 0.0
    errors: list[str] = field(default_factory=list)

    def send(self, port: int, path: str) -> None:
        """Request a page on a new connection, and read all of it."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.sent += 1
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise http.client.HTTPException(f"status {response.status}")
            self.answered += 1
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        self.slowest = max(self.slowest, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Report:
    """The results; memory in bytes, durations in seconds.

    Attributes:
        page_size: bytes of the page without compression.
        before: resident memory before the attack.
        during: its maximum during the attack.
        after: a while after the clients have left.
        requests: by the name of the target.
        exit_seconds: from SIGTERM, during a second attack, to the exit.
        exit_code: of the exporter.
    """

    page_size: int
    before: int
    during: int
    after: int
    requests: dict[str, Requests]
    exit_seconds: float
    exit_code: int

    @property
    def passed(self) -> bool:
        """Whether every request was answered, and memory and exit time are within their limits."""
        return (
            all(each.answered == each.sent for each in self.requests.values())
            and self.during - self.before <= MAX_GROWTH
            and self.after - self.before <= MAX_REMAINING_GROWTH
            and self.exit_seconds < MAX_EXIT_SECONDS
            and self.exit_code == 0
        )

    def table(self) -> str:
        """Return the results as text."""
        lines = [f"page without compression  {self.page_size / 1e6:.1f} MB"]
        for name, each in self.requests.items():
            lines.append(f"{name:<24}  {each.answered} of {each.sent}, slowest {each.slowest:.2f} s")
            lines += [f"  {error}" for error in each.errors]
        for name, size in (("before", self.before), ("during", self.during), ("after", self.after)):
            lines.append(f"resident memory {name:<8}  {size / 2**20:.1f} MiB ({(size - self.before) / 2**20:+.1f} MiB)")
        lines.append(f"exit after SIGTERM        {self.exit_seconds:.1f} s, code {self.exit_code}")
        return "\n".join((*lines, "passed" if self.passed else "FAILED"))


@contextmanager
def slow_readers(port: int, count: int, receive_buffer: int) -> Iterator[None]:
    """Open connections that request the page and do not read it."""
    with ExitStack() as connections:
        for _ in range(count):
            connection = connections.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)  # before the handshake
            connection.settimeout(TIMEOUT)
            connection.connect(("127.0.0.1", port))
            connection.sendall(REQUEST)
        yield


def attack(options: argparse.Namespace) -> Report:
    """Run the exporter with a simulated API, attack it, and return the results."""
    with running_upstream(options.sessions) as upstream:
        process = start_exporter(f"{upstream.url}/api", "--poll-interval", "10s")
        try:
            server = Server(process.pid, port_in_log(process))
            return _attack(server, process, options)
        finally:
            terminate(process)


def _attack(server: Server, process: "subprocess.Popen[str]", options: argparse.Namespace) -> Report:
    page_size = _wait_for_page(server, options.sessions)
    _warm_up(server, options.warm_up)
    before = during = server.memory()
    requests = {name: Requests() for name in TARGETS}
    with slow_readers(server.port, options.readers, options.receive_buffer):
        for _ in range(options.rounds):
            for name, path in TARGETS.items():
                requests[name].send(server.port, path)
                during = max(during, server.memory())
            time.sleep(INTERVAL)
    time.sleep(options.rest)
    after = server.memory()
    with slow_readers(server.port, options.readers, options.receive_buffer):
        time.sleep(1)
        began = time.monotonic()
        process.terminate()
        code = process.wait(timeout=120)
        exit_seconds = time.monotonic() - began
    return Report(page_size, before, during, after, requests, exit_seconds, code)


def _warm_up(server: Server, seconds: float) -> None:
    """Let the exporter poll and be scraped, since its first polls allocate memory that it keeps."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        Requests().send(server.port, TARGETS["scrapes"])
        time.sleep(INTERVAL)


def _wait_for_page(server: Server, sessions: int) -> int:
    """Wait until the page has all sessions, and return its size."""
    return _wait_for(lambda: _page_size(server, sessions), f"a page with {sessions} sessions")


def _page_size(server: Server, sessions: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read()
    finally:
        connection.close()
    return len(page) if page.count(b"\nlivepeer_studio_session_active{") == sessions else None


def _wait_for(condition: Callable[[], T | None], description: str) -> T:
    for _ in range(100):
        if (found := condition()) is not None:
            return found
        time.sleep(0.2)
    raise RuntimeError(f"waited in vain for {description}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attack and print its report; the exit code is 0 if all limits were kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.slow_readers", description=__doc__)
    parser.add_argument("--readers", type=int, default=530, help="clients that do not read (default: 530)")
    parser.add_argument("--receive-buffer", type=int, default=4096, help="bytes, of each (default: 4096)")
    parser.add_argument("--sessions", type=int, default=1800, help="on the page (default: 1800, which are 5 MB)")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds before the attack (default: 30)")
    parser.add_argument("--rounds", type=int, default=20, help="requests of each page (default: 20)")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds after the clients have left (default: 60)")
    report = attack(parser.parse_args(arguments))
    print(report.table())
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
