"""The reference program: a straightforward exporter with the usual libraries, as a baseline.

It decodes pages with json, validates them with pydantic, and holds the values in labelled gauges of prometheus-client,
which ``make_asgi_app`` renders at every scrape. It has the exporter's families for sessions and accounts except
``sessions_started_total``, ``recordings_finished_total``, ``snapshot_timestamp_seconds`` and the lifecycle metrics, and
none for the exporter itself. It does no more than earlier versions did, so that ratios of all versions are comparable.
It follows the links of the API, and has one account and no limits.
"""

import argparse
import asyncio
import json
import time
from collections import Counter as Counts
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, make_asgi_app
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.bench.processes import KEY
from tests.bench.upstream import serve

REFERENCE: Final = "reference program"
"""Its name among the candidates."""

PREFIX: Final = "livepeer_studio_"
STATUSES: Final = ("waiting", "ready", "failed", "deleted", "none", "unknown")
VALUES: Final = (
    "source_segments",
    "transcoded_segments",
    "source_segments_duration_seconds",
    "transcoded_segments_duration_seconds",
    "source_bytes",
    "transcoded_bytes",
    "ingest_rate_bytes_per_second",
    "outgoing_rate_bytes_per_second",
    "healthy",
    "issues",
    "active",
    "last_seen_timestamp_seconds",
    "created_timestamp_seconds",
    "recording_enabled",
    "profiles",
)
COUNTERS: Final = {
    "source_segments": "source_segments",
    "transcoded_segments": "transcoded_segments",
    "source_segments_duration": "source_segments_duration_seconds",
    "transcoded_segments_duration": "transcoded_segments_duration_seconds",
    "source_bytes": "source_bytes",
    "transcoded_bytes": "transcoded_bytes",
}
"""The name of the account's counter for each field of a session that is a counter."""


class Profile(BaseModel):
    """One rendition."""

    name: str | None = None


class Session(BaseModel):
    """One session of the API, without the fields that have no metric."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: str
    name: str | None = None
    parent_id: str = ""
    created_at: float | None = None
    last_seen: float | None = None
    source_segments: float | None = None
    transcoded_segments: float | None = None
    source_segments_duration: float | None = None
    transcoded_segments_duration: float | None = None
    source_bytes: float | None = None
    transcoded_bytes: float | None = None
    ingest_rate: float | None = None
    outgoing_rate: float | None = None
    is_healthy: bool | None = None
    issues: list[str] | None = None
    record: bool = False
    recording_status: str | None = None
    recording_url: str | None = None
    mp4_url: str | None = None
    profiles: list[Profile] | None = None

    def values(self, *, active: bool) -> tuple[float | None, ...]:
        """Return the values of the families without additional labels, in the order of `VALUES`."""
        return (
            self.source_segments,
            self.transcoded_segments,
            self.source_segments_duration,
            self.transcoded_segments_duration,
            self.source_bytes,
            self.transcoded_bytes,
            self.ingest_rate if active else None,
            self.outgoing_rate if active else None,
            self.is_healthy if active else None,
            len(self.issues) if active and self.issues is not None else None,
            active,
            self.last_seen / 1000 if self.last_seen else None,
            self.created_at / 1000 if self.created_at else None,
            self.record,
            None if self.profiles is None else len(self.profiles),
        )


_sessions = TypeAdapter(list[Session])


class ReferenceProgram:
    """Polls one account into gauges.

    Args:
        client: the HTTP client for the API.
        base_url: of the API.
    """

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url
        self._previous: dict[str, Session] = {}
        self.registry = CollectorRegistry()
        self._values = [self._session_gauge(name) for name in VALUES]
        self._status = self._session_gauge("recording_status", "status")
        self._available = self._session_gauge("recording_available", "format")
        self._info = self._session_gauge("info", "name")
        self._issue = self._session_gauge("issue_info", "issue")
        self._states = self._account_gauge("sessions", "state")
        self._health = self._account_gauge("sessions_by_health", "health")
        self._recordings = self._account_gauge("sessions_by_recording_status", "status")
        self._ingest = self._account_gauge("ingest_rate_bytes_per_second")
        self._outgoing = self._account_gauge("outgoing_rate_bytes_per_second")
        self._up = self._account_gauge("up")
        self._counters = {
            field: Counter(PREFIX + name, f"Increase of {field}.", ["account"], registry=self.registry)
            for field, name in COUNTERS.items()
        }

    def _session_gauge(self, name: str, *labels: str) -> Gauge:
        names = ["account", "stream_id", "session_id", *labels]
        return Gauge(f"{PREFIX}session_{name}", f"Value of {name}.", names, registry=self.registry)

    def _account_gauge(self, name: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, f"Value of {name}.", ["account", *labels], registry=self.registry)

    async def poll(self) -> None:
        """Fetch all sessions and update the gauges."""
        sessions, now = await self.fetch()
        self.update(sessions, now)

    async def fetch(self) -> tuple[list[Session], float]:
        """Return all sessions of the last hour, and the API's time in Unix seconds."""
        sessions: list[Session] = []
        since = int((time.time() - 3600) * 1000)
        params = {"limit": "1000", "order": "id-false"}
        params["filters"] = json.dumps([{"id": "lastSeen", "value": {"gte": since}}])
        while True:
            response = await self._client.get(
                f"{self._base_url}/session", params=params, headers={"Authorization": f"Bearer {KEY}"}
            )
            response.raise_for_status()
            sessions += _sessions.validate_python(json.loads(response.content))
            if "next" not in response.links:
                return sessions, parsedate_to_datetime(response.headers["Date"]).timestamp()
            params["cursor"] = parse_qs(urlsplit(response.links["next"]["url"]).query)["cursor"][0]

    def update(self, sessions: Iterable[Session], now: float) -> None:
        """Clear every gauge and set it again.

        Series of sessions that have disappeared, and of values that are now missing, have to disappear. The library
        can clear a gauge, or remove given label values; the program would have to store and compare these.
        """
        for gauge in (*self._values, self._status, self._available, self._info, self._issue):
            gauge.clear()
        states: Counts[str] = Counts(active=0, pending=0, ended=0)
        health: Counts[str] = Counts(healthy=0, unhealthy=0, unknown=0)
        recordings: Counts[str] = Counts(dict.fromkeys(STATUSES, 0))
        rates = [0.0, 0.0]
        current = {}
        for session in sessions:
            active = bool(session.last_seen) and now - (session.last_seen or 0) / 1000 <= 90
            self._set_gauges(session, active=active)
            states["active" if active else "ended" if session.last_seen else "pending"] += 1
            if active:
                health[{True: "healthy", False: "unhealthy", None: "unknown"}[session.is_healthy]] += 1
                rates[0] += session.ingest_rate or 0
                rates[1] += session.outgoing_rate or 0
            if session.record:
                recordings[session.recording_status or "unknown"] += 1
            self._increase_counters(session)
            current[session.id] = session
        self._previous = current
        for gauge, counts in ((self._states, states), (self._health, health), (self._recordings, recordings)):
            for value, count in counts.items():
                gauge.labels("default", value).set(count)
        self._ingest.labels("default").set(rates[0])
        self._outgoing.labels("default").set(rates[1])
        self._up.labels("default").set(1)

    def _set_gauges(self, session: Session, *, active: bool) -> None:
        labels = ("default", session.parent_id, session.id)
        for gauge, value in zip(self._values, session.values(active=active), strict=True):
            if value is not None:
                gauge.labels(*labels).set(value)
        if session.record:
            current = session.recording_status or "unknown"
            for status in STATUSES:
                self._status.labels(*labels, status).set(status == current)
            self._available.labels(*labels, "hls").set(session.recording_url is not None)
            self._available.labels(*labels, "mp4").set(session.mp4_url is not None)
        self._info.labels(*labels, session.name or "").set(1)
        if active:
            for issue in session.issues or ():
                self._issue.labels(*labels, issue).set(1)

    def _increase_counters(self, session: Session) -> None:
        previous = self._previous.get(session.id)
        if previous is None:
            return
        for field, counter in self._counters.items():
            counter.labels("default").inc(max(0, (getattr(session, field) or 0) - (getattr(previous, field) or 0)))


def create_app(program: ReferenceProgram, interval: float) -> Starlette:
    """Return a web application that polls at an interval, in seconds, while it runs."""

    async def poll_forever() -> None:
        while True:
            await program.poll()
            await asyncio.sleep(interval)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        polling = asyncio.create_task(poll_forever())
        yield
        polling.cancel()

    return Starlette(routes=[Mount("/metrics", make_asgi_app(program.registry))], lifespan=lifespan)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    options = parser.parse_args()
    serve(create_app(ReferenceProgram(httpx.AsyncClient(timeout=60), options.base_url), interval=3600))


if __name__ == "__main__":
    main()
