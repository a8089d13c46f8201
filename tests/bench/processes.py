"""Contestants as processes of their own, and what the system knows of them."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.request import Request, urlopen

PATIENCE = 120.0
"""Seconds that a process has to start."""

KEY = "bench-key"
_FLAGS = ("--log.format", "json", "--max-series", "100000000")


@dataclass(frozen=True, slots=True)
class Running:
    """A process that answers on a port of loopback; ``output`` is what it has printed since."""

    pid: int
    port: int
    output: IO[str] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str) -> None:
        """Tell it something.

        Raises:
            OSError: it does not listen, or says that it went wrong.
        """
        with urlopen(Request(self.url + path, method="POST")):
            pass

    def last_line(self) -> str:
        """What it prints as it ends, which is waited for."""
        assert self.output is not None
        return self.output.read().splitlines()[-1]

    def cpu(self) -> float:
        """Seconds of CPU that the process has used, all its threads, in user and kernel."""
        # The kernel's clock of another process has this number: clock_getcpuclockid(3).
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Bytes that are resident."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def environ(**more: str) -> dict[str, str]:
    """What a contestant may know of its surroundings: nothing that a user has set for the program, or for Python.

    Where modules may not be kept compiled, ours would be compiled at every start, and installed ones would not.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVEPEER_", "PYTHON"))}
    return kept | more


@contextmanager
def running(arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run a module of ours that prints its port as the first line of its output.

    Raises:
        RuntimeError: it ended, or said nothing for too long.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, env=environ(**(variables or {})), text=True
    )
    try:
        assert process.stdout is not None
        yield Running(process.pid, int(_first_line(process, process.stdout.fileno())), process.stdout)
    finally:
        end(process)


@contextmanager
def exporter(base_url: str, *flags: str) -> Iterator[Running]:
    """The daemon itself, as a user starts it; it says its port in the log."""
    process = start_exporter(base_url, *flags)
    try:
        yield Running(process.pid, port_of(process))
    finally:
        end(process)


def start_exporter(base_url: str, *flags: str, port: int = 0) -> "subprocess.Popen[str]":
    """Start the daemon, and do not wait for it."""
    listen = ("--web.listen-address", f"127.0.0.1:{port}")
    return subprocess.Popen(
        [sys.executable, "-m", "exporter", *listen, *_FLAGS, "--base-url", base_url, *flags],
        stderr=subprocess.PIPE,
        env=environ(LIVEPEER_API_KEY=KEY),
        text=True,
    )


def port_of(process: "subprocess.Popen[str]") -> int:
    """The port that the daemon listens on, from its log.

    Raises:
        RuntimeError: it ended before it listened.
    """
    assert process.stderr is not None
    for line in process.stderr:
        told = json.loads(line)
        if "port" in told:
            return int(told["port"])
    raise RuntimeError("the exporter did not start")


def _first_line(process: "subprocess.Popen[str]", descriptor: int) -> str:
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    assert process.stdout is not None
    line = process.stdout.readline() if ready else ""
    if not line:
        raise RuntimeError(f"{process.args!r} did not start")
    return line


def end(process: "subprocess.Popen[str]") -> None:
    """Ask a process to stop, and make it."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
