"""Benchmark candidates as separate processes, their CPU time and their memory."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import clock_gettime
from typing import IO, Final
from urllib.request import Request, urlopen

START_TIMEOUT: Final = 120.0
"""Seconds within which a process has to start and serve its first page."""

KEY: Final = "bench-key"
_FLAGS: Final = ("--log.format", "json", "--max-series", "100000000")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a port of loopback.

    Attributes:
        pid: its process id.
        port: its port.
        output: its standard output behind the first line.
    """

    pid: int
    port: int
    output: IO[str] | None = None

    @property
    def url(self) -> str:
        """The base URL, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str) -> None:
        """Send a POST request without a body.

        Raises:
            OSError: the connection failed, or the response is an error.
        """
        with urlopen(Request(self.url + path, method="POST")):
            pass

    def last_line(self) -> str:
        """Wait until the process ends, and return the last line of its output."""
        assert self.output is not None
        return self.output.read().splitlines()[-1]

    def cpu(self) -> float:
        """Return the CPU time of all threads, user and system, in seconds."""
        # The id of the CPU-time clock of another process, as clock_getcpuclockid(3) computes it.
        return clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Return the resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without the settings of the exporter and of Python, with some variables added.

    PYTHONDONTWRITEBYTECODE, for example, would slow down the start of the exporter only: its modules would be compiled
    at every start, unlike those of installed libraries.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVEPEER_", "PYTHON"))}
    return kept | variables


@contextmanager
def running_module(module: str, *arguments: str) -> Iterator[Server]:
    """Run a module that prints its port as the first line of its output.

    Raises:
        RuntimeError: it ended, or printed nothing within `START_TIMEOUT`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, env=environment(), text=True
    )
    try:
        assert process.stdout is not None
        yield Server(process.pid, int(_first_line(process, process.stdout.fileno())), process.stdout)
    finally:
        terminate(process)


@contextmanager
def running_upstream(sessions: int, *flags: str) -> Iterator[Server]:
    """Run the simulated API of ``tests.bench.upstream``."""
    with running_module("tests.bench.upstream", "--sessions", str(sessions), *flags) as server:
        yield server


@contextmanager
def running_exporter(base_url: str, *flags: str) -> Iterator[Server]:
    """Run the exporter's command with an API."""
    process = start_exporter(base_url, *flags)
    try:
        yield Server(process.pid, port_in_log(process))
    finally:
        terminate(process)


def start_exporter(base_url: str, *flags: str, port: int = 0) -> "subprocess.Popen[str]":
    """Start the exporter's command without waiting until it listens."""
    listen = ("--web.listen-address", f"127.0.0.1:{port}")
    return subprocess.Popen(
        [sys.executable, "-m", "exporter", *listen, *_FLAGS, "--base-url", base_url, *flags],
        stderr=subprocess.PIPE,
        env=environment(LIVEPEER_API_KEY=KEY),
        text=True,
    )


def port_in_log(process: "subprocess.Popen[str]") -> int:
    """Return the port of an exporter, from its log.

    Raises:
        RuntimeError: it ended before it listened.
    """
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if "port" in event:
            return int(event["port"])
    raise RuntimeError("the exporter did not start")


def _first_line(process: "subprocess.Popen[str]", descriptor: int) -> str:
    ready, _, _ = select.select([descriptor], [], [], START_TIMEOUT)
    assert process.stdout is not None
    line = process.stdout.readline() if ready else ""
    if not line:
        raise RuntimeError(f"{process.args!r} did not start")
    return line


def terminate(process: "subprocess.Popen[str]") -> None:
    """Send SIGTERM, and SIGKILL after ten seconds; close the pipes."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
