"""The real command in a subprocess, and a real Prometheus; both listen on free loopback ports.

`tests.support.canary` scans everything that they write and respond.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from exporter.metrics.catalogue import PREFIX
from tests.support.canary import KEY, scanner
from tests.support.deadlines import HANG

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-m", "exporter")

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], description: str, seconds: float = HANG) -> T:
    """Wait until a condition is true, and return its value.

    Raises:
        AssertionError: it is not true within the given time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for {description}")


def environment(**variables: str) -> dict[str, str]:
    """Return a small environment with the key of the test suite; a variable with an empty value is omitted."""
    given = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "LIVEPEER_API_KEY": KEY, **variables}
    return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    stdout: str
    stderr: str


def run(*arguments: str, variables: Mapping[str, str] | None = None) -> CommandResult:
    """Run the command until it exits."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=HANG,
    )
    scanner.scan(f"stdout of {arguments}", done.stdout)
    scanner.scan(f"stderr of {arguments}", done.stderr)
    return CommandResult(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the exporter; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def values(self) -> dict[str, float]:
        """The samples of a page in the text format, by name and labels as in the text."""
        lines = (line for line in self.body.decode().splitlines() if line and not line.startswith("#"))
        return {sample: float(value) for sample, _, value in (line.rpartition(" ") for line in lines)}


@dataclass
class Exporter:
    """A running exporter.

    Attributes:
        process: the subprocess.
        lines: the lines that it has written to stderr so far.
        at_end: whether stderr has been read to its end, because the process has exited.
        port: the port of its pages; 0 until it listens.
    """

    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    at_end: bool = False
    port: int = 0

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        parsed = (json.loads(line) for line in list(self.lines) if line.startswith("{"))
        return [each for each in parsed if each["msg"] == name]

    def event_names(self) -> list[str]:
        """Return the event of each log line."""
        return [json.loads(line)["msg"] for line in list(self.lines) if line.startswith("{")]

    def wait_for_event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event has been logged at least `count` times, and return its last line."""

        def enough() -> list[dict[str, Any]]:
            at_end, events = self.at_end, self.events(name)
            assert len(events) >= count or not at_end, f"exited before {name!r} was logged {count} times: {self.lines}"
            return events if len(events) >= count else []

        return wait_until(enough, f"{name!r} to be logged {count} times")[-1]

    def request(self, path: str = "/metrics", method: str = "GET", **headers: str) -> Response:
        """Request a page; an underscore in the name of a header stands for a hyphen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            wanted = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=wanted)
            response = connection.getresponse()
            body = response.read()
            scanner.scan(f"{method} {path}", str(response.headers))
            scanner.scan(f"{method} {path}", body)
            received = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, received, body)
        finally:
            connection.close()

    def value(self, sample: str) -> float | None:
        """Return the value of a sample, given as in the text format, or None if it is not on the page."""
        return self.request().values.get(sample)

    def wait_for_value(self, sample: str, value: float | None) -> None:
        """Wait until a sample has a value, or with None until it is not on the page."""
        wait_until(lambda: self.value(sample) == value, f"{sample} to become {value}")

    def poll_count(self) -> float:
        """Return the number of polls that were started, over all accounts."""
        values = self.request().values
        return sum(value for name, value in values.items() if name.startswith(f"{PREFIX}exporter_polls_"))

    def connect(self) -> socket.socket:
        """Open a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=HANG)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def wait_for_exit(self) -> int:
        """Wait until the process exits, and return its exit code."""
        return self.process.wait(HANG)

    def process_status(self, name: str) -> int:
        """Return a number of ``/proc/PID/status``, such as ``Threads`` or ``VmRSS`` (in kB)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))


@contextmanager
def running_exporter(
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
    wait: bool = True,
) -> Iterator[Exporter]:
    """Run the command within the context, and collect what it writes.

    Args:
        arguments: command-line arguments; by default it listens on a free port and logs JSON at level debug.
        variables: environment variables in addition to the key; an empty value removes one.
        wrapper: a command that runs the command.
        wait: whether to wait until it listens.
    """
    listen = [] if "--web.listen-address" in arguments else ["--web.listen-address", "127.0.0.1:0"]
    flags = [*listen, "--log.format", "json", "--log.level", "debug", *arguments]
    process = subprocess.Popen(
        [*wrapper, *COMMAND, *flags],
        cwd=ROOT,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    exporter = Exporter(process)
    reader = threading.Thread(target=_collect, args=(exporter,))
    reader.start()
    try:
        if wait:
            exporter.port = exporter.wait_for_event("listening")["port"]
            scanner.scan("the command line", Path(f"/proc/{process.pid}/cmdline").read_bytes())
        yield exporter
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


def _collect(exporter: Exporter) -> None:
    assert exporter.process.stderr is not None
    for line in exporter.process.stderr:
        scanner.scan("the log", line)
        exporter.lines.append(line.decode().rstrip("\n"))
    exporter.at_end = True


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int
    pid: int

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series of an instant query."""
        result = self._get("/api/v1/query", {"query": promql})["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def value(self, promql: str) -> float | None:
        """Return the value of a query with at most one series, or None if there is none."""
        series = self.query(promql)
        assert len(series) <= 1, f"{promql} returns {len(series)} series"
        return series[0][1] if series else None

    def targets(self) -> list[dict[str, Any]]:
        """Return the active targets as in the API of Prometheus."""
        targets: list[dict[str, Any]] = self._get("/api/v1/targets", {})["activeTargets"]
        return targets

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            connection.request("GET", f"{path}?{urlencode(parameters)}")
            response: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert response["status"] == "success", response
        data: dict[str, Any] = response["data"]
        return data

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


_LISTENING: Final = re.compile(r'msg="Listening on".* address=127\.0\.0\.1:(\d+)')


@contextmanager
def running_program(command: Sequence[str], log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program within the context, with its output in a log file; kill it at the end."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_prometheus(
    binary: str, directory: Path, config: Mapping[str, Any], *flags: str, data: Path | None = None
) -> Iterator[Prometheus]:
    """Run Prometheus within the context, on a free port.

    Args:
        binary: path of the program; see the fixture `prometheus_binary`.
        directory: directory for its configuration and log, and for its data, which are removed.
        config: its configuration.
        flags: further command-line flags, among them the one that selects agent mode.
        data: another directory for its data, which are kept.
    """
    path, log_path = directory / "prometheus.yml", directory / "prometheus.log"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
    mode = "agent" if any("agent" in flag for flag in flags) else "tsdb"
    storage = f"--storage.{mode}.path={data or directory / 'data'}"
    command = (binary, f"--config.file={path}", storage, "--web.listen-address=127.0.0.1:0", *flags)
    try:
        with running_program(command, log_path) as process:

            def port() -> int | None:
                text = log_path.read_text(encoding="utf-8")
                assert process.poll() is None, text
                found = _LISTENING.search(text)
                return int(found[1]) if found else None

            prometheus = Prometheus(wait_until(port, "Prometheus to listen"), process.pid)
            wait_until(prometheus.is_ready, "Prometheus to be ready")
            yield prometheus
    finally:
        shutil.rmtree(directory / "data", ignore_errors=True)
