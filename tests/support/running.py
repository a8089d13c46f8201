"""The real command in a subprocess, and a real Prometheus beside it; both on loopback, both on free ports.

Everything that they write, and every page that is asked of them, is heard by `tests.support.canary`.
"""

import http.client
import json
import os
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

from tests.support.canary import KEY, heard

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-m", "exporter")
PATIENCE: Final = 30.0
"""Seconds that a test waits for what must happen; a machine under load is slow."""

T = TypeVar("T")


def until(found: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Ask again and again until there is an answer that is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")


def environment(**variables: str) -> dict[str, str]:
    """A small environment with the suite's key in it; an empty value leaves a variable out."""
    given = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "LIVEPEER_API_KEY": KEY, **variables}
    return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command that has ended said."""

    code: int
    out: str
    err: str


def run(*arguments: str, variables: Mapping[str, str] | None = None, seconds: float = PATIENCE) -> Said:
    """Run the command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
    )
    heard.take(f"stdout of {arguments}", done.stdout)
    heard.take(f"stderr of {arguments}", done.stderr)
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the exporter; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def values(self) -> dict[str, float]:
        """The samples of a page in the text format, by name and labels as they are written."""
        lines = (line for line in self.body.decode().splitlines() if line and not line.startswith("#"))
        return {sample: float(value) for sample, _, value in (line.rpartition(" ") for line in lines)}


@dataclass
class Exporter:
    """A running exporter.

    Attributes:
        process: the subprocess.
        lines: what it has logged so far, a line each, and whatever else came on stderr.
        port: where its pages are; 0 until it listens.
    """

    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    port: int = 0

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        parsed = (json.loads(line) for line in list(self.lines) if line.startswith("{"))
        return [each for each in parsed if each["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event was logged so many times, and give its last line."""
        return until(lambda: self.events(name) if len(self.events(name)) >= count else None, f"{name!r}")[-1]

    def ask(self, path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
        """Ask for a page; an underscore in a header's name is a dash."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            wanted = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=wanted)
            response = connection.getresponse()
            body = response.read()
            heard.take(f"{method} {path}", str(response.headers))
            heard.take(f"{method} {path}", body)
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, body)
        finally:
            connection.close()

    def value(self, sample: str) -> float | None:
        """One sample of the page, by name and labels as they are written; None where there is none."""
        return self.ask().values.get(sample)

    def becomes(self, sample: str, value: float | None) -> None:
        """Wait until a sample has a value, or is gone."""
        until(lambda: self.value(sample) == value, f"{sample} to become {value}")

    def polls(self) -> float:
        """How many polls were begun, over all accounts."""
        return sum(value for name, value in self.ask().values.items() if name.startswith(f"{PREFIX}exporter_polls_"))

    def connect(self) -> socket.socket:
        """A bare connection to the pages."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ends(self, seconds: float = PATIENCE) -> int:
        """Wait for the end; gives the exit code."""
        return self.process.wait(seconds)

    def status(self, name: str) -> int:
        """A number of the process's own status in the kernel, such as `Threads` or `VmRSS` (kB)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))


PREFIX: Final = "livepeer_studio_"


@contextmanager
def running_exporter(
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
    wait: bool = True,
) -> Iterator[Exporter]:
    """Run the command as long as the context lasts, and listen to what it says.

    Args:
        arguments: of the command line; a free port and JSON logs at debug are given unless they say otherwise.
        variables: of the environment, beside the key; an empty one is left out.
        wrapper: what the command line begins with.
        wait: whether to wait until it listens.
    """
    flags = ["--web.listen-address", "127.0.0.1:0", "--log.format", "json", "--log.level", "debug", *arguments]
    process = subprocess.Popen(
        [*wrapper, *COMMAND, *flags],
        cwd=ROOT,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    exporter = Exporter(process)
    reader = threading.Thread(target=_listen, args=(exporter,))
    reader.start()
    try:
        if wait:
            exporter.port = exporter.wait_for("listening")["port"]
            heard.take("the command line", Path(f"/proc/{process.pid}/cmdline").read_bytes())
        yield exporter
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


def _listen(exporter: Exporter) -> None:
    assert exporter.process.stderr is not None
    for line in exporter.process.stderr:
        heard.take("the log", line)
        exporter.lines.append(line.decode().rstrip("\n"))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """What an instant query gives now: labels and value of each series."""
        result = self._get("/api/v1/query", {"query": promql})["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def value(self, promql: str) -> float | None:
        """The value of a query that gives at most one series."""
        found = self.query(promql)
        assert len(found) <= 1, f"{promql} gives {len(found)} series"
        return found[0][1] if found else None

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, with the state and the last error of each."""
        found: list[dict[str, Any]] = self._get("/api/v1/targets", {})["activeTargets"]
        return found

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"{path}?{urlencode(parameters)}")
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data

    def is_ready(self) -> bool:
        """Whether it answers queries yet."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def running_prometheus(binary: str, directory: Path, config: Mapping[str, Any]) -> Iterator[Prometheus]:
    """Run Prometheus with a data directory of its own as long as the context lasts.

    Args:
        binary: where the program is; see the fixture `prometheus_binary`.
        directory: for its configuration and data.
        config: its configuration, as YAML would have it.
    """
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
    with socket.socket() as chosen:  # it cannot tell which free port it took
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={path}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
        prometheus = Prometheus(port)
        try:
            until(prometheus.is_ready, "Prometheus")
            yield prometheus
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(directory / "data", ignore_errors=True)
