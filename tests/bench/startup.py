"""P8: the time from the start of the process to its first response, and the memory of an idle process.

The baseline imports the libraries that ``pyproject.toml`` names and starts uvicorn with the smallest application. The
top module of a library may load little of it, so a second baseline imports the modules that the exporter uses. Only the
first one has goals.
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
from typing import Final

from tests.bench.processes import (
    START_TIMEOUT,
    Server,
    environment,
    running_upstream,
    start_exporter,
    terminate,
)
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.support.ports import free_ports

IMPORTS: Final = "imports and uvicorn"
USED_IMPORTS: Final = "the imports in use and uvicorn"
USED_MODULES: Final = (
    "apscheduler.schedulers.asyncio",
    "bcrypt",
    "httptools",
    "httpcore",  # httpx loads it with its first client
    "httpx",
    "isal.isal_zlib",
    "msgspec",
    "prometheus_client.openmetrics.exposition",
    "pydantic.main",  # pydantic loads its modules on first use
    "pydantic_settings",
    "starlette.applications",
    "yaml",
)
"""The modules of the libraries in ``pyproject.toml`` that the exporter uses, without uvicorn."""

START: Final = "start until the first scrape"
MEMORY: Final = "memory of an idle process"
IDLE_AFTER: Final = 2.0
"""Seconds after its first response until the memory of a process is measured."""

PROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"
_IMPORT_NAMES: Final = {"pyyaml": "yaml"}
"""The names of modules that differ from the names of their libraries."""


def compare(rounds: int) -> Results:
    """Start the exporter and both baselines by turns; the account has 20 sessions."""
    seconds: dict[str, list[float]] = {EXPORTER: [], IMPORTS: [], USED_IMPORTS: []}
    memory: dict[str, list[float]] = {EXPORTER: [], IMPORTS: [], USED_IMPORTS: []}
    with running_upstream(20) as upstream:
        starts: dict[str, Callable[[int], subprocess.Popen[str]]] = {
            EXPORTER: lambda port: start_exporter(f"{upstream.url}/api", port=port),
            IMPORTS: partial(_start_minimal_server, dependencies()),
            USED_IMPORTS: partial(_start_minimal_server, USED_MODULES),
        }
        for _ in range(rounds):
            for name, start in starts.items():
                [port] = free_ports(1)
                began = time.perf_counter()
                process = start(port)
                try:
                    _wait_for_response(port)
                    seconds[name].append((time.perf_counter() - began) * 1000)
                    time.sleep(IDLE_AFTER)
                    memory[name].append(Server(process.pid, port).memory() / 2**20)
                finally:
                    terminate(process)
    measurements: list[Measurement] = []
    goals: list[GoalResult] = []
    for quantity, unit, values in ((START, "ms", seconds), (MEMORY, "MiB", memory)):
        exporter, *baselines = (Measurement(quantity, name, 20, unit, tuple(each)) for name, each in values.items())
        measurements += [exporter, *baselines]
        goals += [
            GoalResult(
                "P8",
                f"{quantity}, compared with {baseline.candidate}",
                exporter.ratio_to(baseline),
                goal=1.15,
                binding=baseline.candidate == IMPORTS,
            )
            for baseline in baselines
        ]
    return Results(tuple(measurements), tuple(goals))


def dependencies() -> list[str]:
    """Return the names of the modules of the libraries in ``pyproject.toml``."""
    requirements = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in requirements]
    return [_IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names]


def _start_minimal_server(imports: Sequence[str], port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(Path(__file__).with_name("minimal_server.py")), str(port), *imports]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment(), text=True)


def _wait_for_response(port: int) -> None:
    deadline = time.perf_counter() + START_TIMEOUT
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
                if connection.recv(65_536).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            time.sleep(0.002)
    raise TimeoutError(f"no response on port {port} within {START_TIMEOUT:.0f} s")
