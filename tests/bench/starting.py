"""P8: from the start of the process to the first scrape that is answered, and the memory of an idle process.

The rival imports the libraries that ``pyproject.toml`` names, and starts uvicorn with the smallest of applications.
Since the top of a library may load little of it, another one imports what we use of them; no goal is about that one.
"""

import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.bench.processes import PATIENCE, Running, end, environ, free_port, running, start_exporter
from tests.bench.report import OURS, Figure, Findings, Verdict

BARE = "imports and uvicorn"
FULL = "imports of what we use, and uvicorn"
USED = (
    "apscheduler.schedulers.asyncio",
    "bcrypt",
    "httptools",
    "httpcore",  # which httpx loads with its first client
    "httpx",
    "isal.isal_zlib",
    "msgspec",
    "prometheus_client.openmetrics.exposition",
    "pydantic.main",  # pydantic loads its parts when they are asked for by name
    "pydantic_settings",
    "starlette.applications",
    "yaml",
)
"""What we use of the libraries of ``pyproject.toml``, beside uvicorn."""

START = "start to the first scrape"
IDLE = "memory of an idle process"
SETTLED = 2.0
"""Seconds after which a process counts as idle."""

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_OTHER_NAMES = {"pyyaml": "yaml"}
"""Libraries that are imported by another name than they are installed by."""


def compare(rounds: int) -> Findings:
    """All three started in turns; the account has 20 sessions."""
    seconds: dict[str, list[float]] = {OURS: [], BARE: [], FULL: []}
    memory: dict[str, list[float]] = {OURS: [], BARE: [], FULL: []}
    with running(["tests.bench.upstream", "--sessions", "20"]) as upstream:
        starts: dict[str, Callable[[int], subprocess.Popen[str]]] = {
            OURS: lambda port: start_exporter(f"{upstream.url}/api", port=port),
            BARE: partial(_start_bare, named()),
            FULL: partial(_start_bare, USED),
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
    figures: list[Figure] = []
    verdicts: list[Verdict] = []
    for what, unit, found in ((START, "ms", seconds), (IDLE, "MiB", memory)):
        ours, *rivals = (Figure(what, name, 20, unit, tuple(values)) for name, values in found.items())
        figures += [ours, *rivals]
        verdicts += [
            Verdict("P8", f"{what}, to {rival.who}", 1.15, binding=rival.who == BARE).of(ours.to(rival))
            for rival in rivals
        ]
    return Findings(tuple(figures), tuple(verdicts))


def named() -> list[str]:
    """The libraries that ``pyproject.toml`` names, as they are imported."""
    asked = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    names = [re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in asked]
    return [_OTHER_NAMES.get(name, name.replace("-", "_")) for name in names]


def _start_bare(imports: Sequence[str], port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), str(port), *imports]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environ(), text=True)


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
