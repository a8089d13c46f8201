"""A real Alertmanager on a free loopback port, without receivers and without a cluster."""

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.deadlines import HANG
from tests.support.ports import listening_ports
from tests.support.running import running_program, wait_until

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager."""

    port: int

    def post(self, alerts: Iterable[Labels], *, ended: Iterable[Labels] = ()) -> None:
        """Report alerts as firing, and others as resolved."""
        firing = [{"labels": dict(each)} for each in alerts]
        past = datetime.now(UTC).isoformat()
        resolved = [{"labels": dict(each), "endsAt": past} for each in ended]
        status, text = self._request("POST", json.dumps(firing + resolved))
        assert status == 200, text

    def alerts(self) -> list[tuple[Labels, bool]]:
        """Return the labels of each alert, and whether another one suppresses it."""
        return [(each["labels"], bool(each["status"]["inhibitedBy"])) for each in self._alerts()]

    def silenced(self) -> list[Labels]:
        """Return the labels of the alerts that are silenced."""
        return [each["labels"] for each in self._alerts() if each["status"]["silencedBy"]]

    def _alerts(self) -> list[dict[str, Any]]:
        status, text = self._request("GET")
        assert status == 200, text
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def is_ready(self) -> bool:
        """Whether it responds."""
        try:
            return self._request("GET")[0] == 200
        except OSError:
            return False

    def _request(self, method: str, body: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            connection.request(method, "/api/v2/alerts", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


@contextmanager
def running_alertmanager(binary: str, directory: Path, config: Mapping[str, Any]) -> Iterator[Alertmanager]:
    """Run Alertmanager within the context.

    Args:
        binary: path of the program.
        directory: directory for its configuration, data and log.
        config: its configuration without route and receivers.
    """
    path, log_path = directory / "alertmanager.yml", directory / "alertmanager.log"
    complete = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], **config}
    path.write_text(json.dumps(complete), encoding="utf-8")  # JSON is YAML too
    command = (
        binary,
        f"--config.file={path}",
        f"--storage.path={directory / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    )
    with running_program(command, log_path) as process:

        def port() -> int | None:
            assert process.poll() is None, log_path.read_text(encoding="utf-8")
            return next(iter(listening_ports(process.pid)), None)

        alertmanager = Alertmanager(wait_until(port, "Alertmanager to listen"))
        wait_until(alertmanager.is_ready, "Alertmanager to be ready")
        yield alertmanager
