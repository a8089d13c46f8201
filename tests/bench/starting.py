"""P8: from the start of the process to the first scrape that is answered, and the memory of an idle process.

The rival imports the libraries that ``pyproject.toml`` names, and starts uvicorn with the smallest of applications.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.processes import PATIENCE, Running, end, environ, free_port, running, start_exporter
from tests.bench.report import OURS, Figure, Findings, Verdict

BARE = "imports and uvicorn"
START = "start to the first scrape"
IDLE = "memory of an idle process"
SETTLED = 2.0
"""Seconds after which a process counts as idle."""


def compare(rounds: int) -> Findings:
    """Both started in turns; the account has 20 sessions."""
    seconds: dict[str, list[float]] = {OURS: [], BARE: []}
    memory: dict[str, list[float]] = {OURS: [], BARE: []}
    with running(["tests.bench.upstream", "--sessions", "20"]) as upstream:
        starts: dict[str, Callable[[int], subprocess.Popen[str]]] = {
            OURS: lambda port: start_exporter(f"{upstream.url}/api", port=port),
            BARE: _start_bare,
        }
        for _ in range(rounds):
            for name, start in starts.items():
                port = free_port()
                began = time.perf_counter()
                process = start(port)
                try:
                    _first_answer(port)
                    seconds[name].append((time.perf_counter() - began) * 1000)
                    time.sleep(SETTLED)
                    memory[name].append(Running(process.pid, port).memory() / 2**20)
                finally:
                    end(process)
    figures = [Figure(START, name, 20, "ms", tuple(values)) for name, values in seconds.items()]
    figures += [Figure(IDLE, name, 20, "MiB", tuple(values)) for name, values in memory.items()]
    ours, bare, ours_idle, bare_idle = figures
    return Findings(
        tuple(figures),
        (
            Verdict("P8", f"{START}, to {BARE}", 1.15).of(ours.to(bare)),
            Verdict("P8", f"{IDLE}, to {BARE}", 1.15).of(ours_idle.to(bare_idle)),
        ),
    )


def _start_bare(port: int) -> "subprocess.Popen[str]":
    script = str(Path(__file__).with_name("bare.py"))
    return subprocess.Popen([sys.executable, script, str(port)], stderr=subprocess.PIPE, env=environ(), text=True)


def _first_answer(port: int) -> None:
    """Ask until somebody listens and answers.

    Raises:
        TimeoutError: nobody does.
    """
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
                if connection.recv(65_536).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            time.sleep(0.002)
    raise TimeoutError("nobody answers")
