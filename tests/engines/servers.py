"""Running engines, and their HTTP API for queries, which is that of Prometheus."""

import http.client
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.engines.comparison import Result, to_result
from tests.support.deadlines import HANG
from tests.support.ports import listening_ports
from tests.support.running import running_program, wait_until


class QueryError(Exception):
    """An engine rejects a query."""


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API of an engine.

    Attributes:
        port: its port on loopback.
        parameters: further parameters of every query.
    """

    port: int
    parameters: Mapping[str, str]

    def instant(self, promql: str, time: float) -> Result:
        """Return the result of an instant query.

        Raises:
            QueryError: the engine rejects it.
        """
        return self._query("/api/v1/query", {"query": promql, "time": str(time)})

    def range(self, promql: str, start: float, end: float, step: float) -> Result:
        """Return the result of a range query; times in Unix seconds.

        Raises:
            QueryError: the engine rejects it.
        """
        given = {"query": promql, "start": str(start), "end": str(end), "step": str(step)}
        return self._query("/api/v1/query_range", given)

    def _query(self, path: str, parameters: Mapping[str, str]) -> Result:
        body = urlencode({**parameters, **self.parameters})
        status, text = self.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        if status != 200:
            raise QueryError(f"{status}: {text.strip()[:300]}")
        return to_result(json.loads(text)["data"])

    def request(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Return status and body of the response to any request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            connection.request(method, path, body.encode(), dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


_VERSION: Final = re.compile(r"v?(\d+\.\d+\.\d+)")


def version(binary: str) -> str:
    """Return the version that a program reports, such as ``3.16.0``."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=HANG)
    found = _VERSION.search(done.stdout + done.stderr)
    assert found, f"{binary} reports no version: {done.stdout}{done.stderr}"
    return found[1]


@contextmanager
def running_server(
    command: Sequence[str], log_path: Path, port_count: int, health: str
) -> Iterator[tuple[int, frozenset[int]]]:
    """Run a program that listens on free ports; yield that of HTTP, and the others.

    Args:
        command: starts it, with port 0 on each address.
        log_path: receives its output.
        port_count: the number of its ports.
        health: a path that returns 200 when it is ready, at one of its ports.
    """
    with running_program(command, log_path) as process:

        def ports() -> set[int] | None:
            assert process.poll() is None, log_path.read_text(encoding="utf-8")
            found = listening_ports(process.pid)
            return found if len(found) == port_count else None

        found = wait_until(ports, f"{command[0]} to listen")
        ready = wait_until(lambda: next((each for each in found if _is_healthy(each, health)), None), "readiness")
        yield ready, frozenset(found - {ready})


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # not listening yet, or another protocol
        return False
    finally:
        connection.close()


@contextmanager
def running_victoria_metrics(binary: str, directory: Path, *flags: str) -> Iterator[Api]:
    """Run VictoriaMetrics with an empty database in a directory."""
    command = [
        binary,
        f"-storageDataPath={directory / 'data'}",
        "-httpListenAddr=127.0.0.1:0",
        "-retentionPeriod=100y",
        # The clock of a recording is not that of the machine: nothing is too young, and nothing may be cached.
        "-search.latencyOffset=1ms",
        "-search.disableCache",
        *flags,
    ]
    with running_server(command, directory / "log", 1, "/health") as (port, _):
        yield Api(port, {"nocache": "1"})


def import_samples(api: Api, lines: Sequence[str]) -> None:
    """Import samples in the OpenMetrics format into VictoriaMetrics."""
    status, text = api.request("POST", "/api/v1/import/prometheus", "".join(lines))
    assert status == 204, f"{status}: {text}"
    assert api.request("GET", "/internal/force_flush")[0] == 200  # to make them visible to queries


def raw_samples(api: Api, selector: str) -> Any:
    """Return the stored samples that a selector of VictoriaMetrics' export matches."""
    status, text = api.request("GET", f"/api/v1/export?{urlencode({'match[]': selector})}")
    assert status == 200, f"{status}: {text}"
    return [json.loads(line) for line in text.splitlines()]
