"""The obvious program: what a good engineer would write in an afternoon, to compare ourselves with.

json reads the pages, pydantic checks them, labelled gauges of prometheus-client hold the values, and
``make_asgi_app`` renders them at every scrape. It shows the same families about sessions and accounts as we do, except
``sessions_started_total``, ``recordings_finished_total`` and ``snapshot_timestamp_seconds``, and is spared those about
the exporter itself. It walks by the links of the API, has one account, and no limits.
"""

import argparse
import asyncio
import json
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, make_asgi_app
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.bench.processes import KEY
from tests.bench.upstream import serve

PREFIX = "livepeer_studio_"
STATUSES = ("waiting", "ready", "failed", "deleted", "none", "unknown")
PLAIN = (
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
COUNTED = {
    "source_segments": "source_segments",
    "transcoded_segments": "transcoded_segments",
    "source_segments_duration": "source_segments_duration_seconds",
    "transcoded_segments_duration": "transcoded_segments_duration_seconds",
    "source_bytes": "source_bytes",
    "transcoded_bytes": "transcoded_bytes",
}
"""Per field that is counted the name of its counter."""


class Profile(BaseModel):
    """One rendition."""

    name: str | None = None


class Session(BaseModel):
    """One session of the API; what is not named here is skipped."""

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

    def plain(self, *, active: bool) -> tuple[float | None, ...]:
        """The values of the families without labels of their own, in the order of `PLAIN`."""
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


class Obvious:
    """Polls one account into gauges.

    Args:
        client: asks the API.
        base_url: where it is.
    """

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url
        self._last: dict[str, Session] = {}
        self.registry = CollectorRegistry()
        self._plain = [self._of_session(name) for name in PLAIN]
        self._status = self._of_session("recording_status", "status")
        self._available = self._of_session("recording_available", "format")
        self._info = self._of_session("info", "name")
        self._issue = self._of_session("issue_info", "issue")
        self._states = self._of_account("sessions", "state")
        self._health = self._of_account("sessions_by_health", "health")
        self._recordings = self._of_account("sessions_by_recording_status", "status")
        self._ingest = self._of_account("ingest_rate_bytes_per_second")
        self._outgoing = self._of_account("outgoing_rate_bytes_per_second")
        self._up = self._of_account("up")
        self._grown = {
            field: Counter(PREFIX + name, f"Growth of {field}.", ["account"], registry=self.registry)
            for field, name in COUNTED.items()
        }

    def _of_session(self, name: str, *labels: str) -> Gauge:
        names = ["account", "stream_id", "session_id", *labels]
        return Gauge(f"{PREFIX}session_{name}", f"Value of {name}.", names, registry=self.registry)

    def _of_account(self, name: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, f"Value of {name}.", ["account", *labels], registry=self.registry)

    async def poll(self) -> None:
        """Read all sessions and show them."""
        sessions, now = await self.fetch()
        self.show(sessions, now)

    async def fetch(self) -> tuple[list[Session], float]:
        """All sessions of the last hour, and the server's time."""
        sessions: list[Session] = []
        since = int((time.time() - 3600) * 1000)
        params = {"limit": "1000", "order": "id-false"}
        params["filters"] = json.dumps([{"id": "lastSeen", "value": {"gte": since}}])
        while True:
            answer = await self._client.get(
                f"{self._base_url}/session", params=params, headers={"Authorization": f"Bearer {KEY}"}
            )
            answer.raise_for_status()
            sessions += _sessions.validate_python(json.loads(answer.content))
            if "next" not in answer.links:
                return sessions, parsedate_to_datetime(answer.headers["Date"]).timestamp()
            params["cursor"] = parse_qs(urlsplit(answer.links["next"]["url"]).query)["cursor"][0]

    def show(self, sessions: Iterable[Session], now: float) -> None:
        """Set every gauge, each from nothing.

        Series of sessions that are gone, and of values that have become missing, must vanish. The library can only
        clear a gauge or remove label values that one names, which one would have to remember and compare.
        """
        for gauge in (*self._plain, self._status, self._available, self._info, self._issue):
            gauge.clear()
        states: Tally[str] = Tally(active=0, pending=0, ended=0)
        health: Tally[str] = Tally(healthy=0, unhealthy=0, unknown=0)
        recordings: Tally[str] = Tally(dict.fromkeys(STATUSES, 0))
        rates = [0.0, 0.0]
        seen = {}
        for session in sessions:
            active = bool(session.last_seen) and now - (session.last_seen or 0) / 1000 <= 90
            self._show(session, active=active)
            states["active" if active else "ended" if session.last_seen else "pending"] += 1
            if active:
                health[{True: "healthy", False: "unhealthy", None: "unknown"}[session.is_healthy]] += 1
                rates[0] += session.ingest_rate or 0
                rates[1] += session.outgoing_rate or 0
            if session.record:
                recordings[session.recording_status or "unknown"] += 1
            self._count(session)
            seen[session.id] = session
        self._last = seen
        for gauge, counts in ((self._states, states), (self._health, health), (self._recordings, recordings)):
            for value, count in counts.items():
                gauge.labels("default", value).set(count)
        self._ingest.labels("default").set(rates[0])
        self._outgoing.labels("default").set(rates[1])
        self._up.labels("default").set(1)

    def _show(self, session: Session, *, active: bool) -> None:
        labels = ("default", session.parent_id, session.id)
        for gauge, value in zip(self._plain, session.plain(active=active), strict=True):
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

    def _count(self, session: Session) -> None:
        before = self._last.get(session.id)
        if before is None:
            return
        for field, counter in self._grown.items():
            counter.labels("default").inc(max(0, (getattr(session, field) or 0) - (getattr(before, field) or 0)))


def create_app(obvious: Obvious, interval: float) -> Starlette:
    """The program as a web application that polls as long as it runs."""

    async def poll_for_ever() -> None:
        while True:
            await obvious.poll()
            await asyncio.sleep(interval)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        polling = asyncio.create_task(poll_for_ever())
        yield
        polling.cancel()

    return Starlette(routes=[Mount("/metrics", make_asgi_app(obvious.registry))], lifespan=lifespan)


def main() -> None:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    options = parser.parse_args()
    serve(create_app(Obvious(httpx.AsyncClient(timeout=60), options.base_url), interval=3600))


if __name__ == "__main__":
    main()
