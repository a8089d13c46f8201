"""What a real Alertmanager sends of the evening's alerts, with the shipped configuration, sixty times as fast."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.bad_evening.alerts import Alert
from tests.bad_evening.recording import INTERVAL
from tests.support import documents
from tests.support.alertmanager import running_alertmanager

SPEED: Final = 60.0
CONFIG: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "alertmanager.yml"

_DURATIONS: Final = {"30s": "500ms", "5m": "5s", "4h": "4m"}
"""The intervals of the configuration at ``SPEED``."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification.

    Attributes:
        step: the step of the evening at which it was sent.
        new: the alerts that it lists as firing and that no earlier one had, since they began to fire.
    """

    step: int
    new: frozenset[Alert]


def notifications(binary: str, directory: Path, firing: Sequence[set[Alert]]) -> list[Notification]:
    """Report the alerts of each step to Alertmanager, and return what it sends.

    Args:
        binary: path of Alertmanager.
        directory: for its files.
        firing: the alerts that fire at each step.
    """
    step = INTERVAL / SPEED
    received: list[tuple[float, list[dict[str, Any]]]] = []
    with _receiver(received) as url, running_alertmanager(binary, directory, _config(url)) as alertmanager:
        start = time.monotonic()
        before: set[Alert] = set()
        for number, alerts in enumerate(firing):
            time.sleep(max(0.0, start + number * step - time.monotonic()))
            alertmanager.post(map(dict, alerts), ended=map(dict, before - alerts))
            before = alerts
        time.sleep(10 * step)  # for the last notifications
    return list(_notifications(received, start, step))


def _notifications(
    received: Sequence[tuple[float, list[dict[str, Any]]]], start: float, step: float
) -> Iterator[Notification]:
    known: set[tuple[Alert, str]] = set()
    for time_received, alerts in received:
        listed = {
            (frozenset(each["labels"].items()), each["startsAt"]) for each in alerts if each["status"] == "firing"
        }
        yield Notification(int((time_received - start) / step), frozenset(alert for alert, _ in listed - known))
        known |= listed


def _config(url: str) -> dict[str, Any]:
    config: dict[str, Any] = documents.load(CONFIG.read_text(encoding="utf-8"))
    route: dict[str, Any] = config["route"]
    intervals = {name: _DURATIONS[value] for name, value in route.items() if name.endswith(("_wait", "_interval"))}
    receiver = {"name": "test", "webhook_configs": [{"url": url, "send_resolved": False}]}
    return config | {"route": route | intervals | {"receiver": "test"}, "receivers": [receiver]}


@contextmanager
def _receiver(received: list[tuple[float, list[dict[str, Any]]]]) -> Iterator[str]:
    """Run a receiver of notifications within the context, which adds them with their time; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((time.monotonic(), document["alerts"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
