"""Pollers of a fake client, the page store that they publish to, and Hypothesis strategies for sessions."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import strategies as st

from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.errors import MissingKeyError
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.livepeer.query import Scope
from exporter.metrics.catalogue import Options
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.series_limit import SeriesBudget
from exporter.polling.plan import Plan, PollStart
from exporter.polling.poll import History, PollSpan, compare
from exporter.polling.poller import OnAccountPolled, Poller, StreamPolling
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.session import MAX_ID, Profile, Session
from exporter.sessions.snapshot import Windows, take_snapshot
from exporter.text import clean
from tests.support.clock import ManualClock
from tests.support.collector import PublishedAccount
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

UNLIMITED = 1_000_000


@dataclass
class FakeClient:
    """A client of the API without network, which returns sessions or raises an error.

    Attributes:
        result: the sessions that the next polls return.
        error: the error that the next polls raise instead.
        during: called during each poll.
        skew: seconds by which the API's clock is ahead.
        key: the current API key; None if it is missing.
        polls: number of polls so far.
        server_time: the API's Unix seconds when the next polls begin.
    """

    result: Sequence[Session] = ()
    error: BaseException | None = None
    during: Callable[[], Any] = lambda: None
    skew: float | None = None
    key: str | None = "key"
    polls: int = 0
    server_time: float = START

    def credentials(self) -> bytes:
        if self.key is None:
            raise MissingKeyError("no API key is set")
        return self.key.encode()

    @property
    def clock(self) -> "FakeClient":
        return self

    async def sessions(
        self, scope: Scope, on_page: OnPage = no_progress, *, within: float = math.inf, recordings: bool = True
    ) -> SessionsResult:
        self.polls += 1
        self.during()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return SessionsResult(tuple(self.result), self.server_time)


def ignore_polled(began: float, *, with_recordings: bool) -> None:
    """Do nothing after a good poll."""


def plan(account: str = "default", **changes: Any) -> Plan:
    """Return the default plan of the tests, with some changes."""
    defaults: dict[str, Any] = {
        "account": account,
        "base_url": "https://api.invalid/api",
        "interval": 30.0,
        "recording_interval": 300.0,
        "deadline": 25.0,
        "max_staleness": 300.0,
        "detail": "session",
        "scope": Scope(3600.0, 14_400.0),
        "windows": Windows(session=3600.0, active=90.0),
    }
    return Plan(**(defaults | changes))


@dataclass
class Accounts:
    """A page store, and pollers that publish to it; a test advances the clock.

    Attributes:
        published: each account as `publish` published it last.
    """

    options: Options = field(default_factory=Options)
    limit: int = UNLIMITED
    time: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.pages = PageStore(self.options, SeriesBudget(self.limit), self.time.monotonic)
        self.published: dict[str, PublishedAccount] = {}

    def poller(
        self,
        client: FakeClient,
        account: str = "default",
        *,
        jitter: float = 0.5,
        telemetry: Telemetry | None = None,
        stream_client: FakeClient | None = None,
        on_account_polled: OnAccountPolled | None = None,
        **changes: Any,
    ) -> Poller:
        """Return a poller of a client whose account is on the page."""
        streams = (
            StreamPolling(cast("LivepeerClient", stream_client), on_account_polled or ignore_polled)
            if stream_client
            else None
        )
        poller = Poller(
            plan(account, **changes),
            cast("LivepeerClient", client),
            telemetry or Telemetry(account),
            self.pages,
            now=self.time.now,
            monotonic=self.time.monotonic,
            jitter=lambda: jitter,
            streams=streams,
        )
        poller.publish_initial()
        return poller

    def publish(self, sessions: Sequence[Session], account: str = "default", **changes: Any) -> None:
        """Poll an account with these sessions once."""
        telemetry = Telemetry(account)
        poller = self.poller(FakeClient(sessions), account, telemetry=telemetry, **changes)
        asyncio.run(poller.poll())
        snapshot = run_to_end(take_snapshot(sessions, poller.plan.windows, START))
        self.published[account] = PublishedAccount(
            snapshot, poller.plan.detail, telemetry, lifecycle_of(sessions, poller.plan)
        )


def lifecycle_of(sessions: Sequence[Session], plan: Plan) -> LifecycleState:
    """Return the lifecycle after a first poll."""
    read = SessionsResult(tuple(sessions), START)
    return run_to_end(compare(read, plan, History(), PollSpan(PollStart(START, 0.0), 0.0))).history.lifecycle


def session(number: int = 1, /, **changes: Any) -> Session:
    """Return an active and healthy session, with some changes."""
    defaults: dict[str, Any] = {
        "id": ident(number),
        "name": f"stream {number}",
        "parent_id": f"parent-{number}",
        "created_at": (START - 600) * 1000,
        "last_seen": (START - 10) * 1000,
        "source_bytes": 1000.0,
        "ingest_rate": 100.0,
        "outgoing_rate": 200.0,
        "is_healthy": True,
    }
    return Session(**(defaults | changes))


texts = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        '"} 1\nfake{',
        "\ud800",
        "\x00",
        "# HELP x",
        "\u2028",
        "\u202e",
        "\\n",
        "x" * 300,
        " ",
        "ä€😀",
        "\r",
    ]
)
amounts = st.none() | st.floats(0, 2.0**63) | st.sampled_from([0.0, 1.0, 56.05600000000002, 2.0**53 + 2, 1e-9])
times = st.none() | st.just(0.0) | st.floats((START - 20_000) * 1000, (START + 80_000) * 1000)
flags = st.none() | st.booleans()
profiles = st.builds(
    Profile,
    name=st.none() | texts,
    width=amounts,
    height=amounts,
    bitrate=amounts,
    fps=amounts,
    gop=st.none() | texts,
    encoder=st.none() | texts,
)
session_lists = st.lists(
    st.builds(
        Session,
        id=texts.map(lambda text: clean(text, MAX_ID)).filter(bool),
        name=st.none() | texts,
        parent_id=st.none() | texts,
        created_at=times,
        last_seen=times,
        source_segments=amounts,
        transcoded_segments=amounts,
        source_segments_duration=amounts,
        transcoded_segments_duration=amounts,
        source_bytes=amounts,
        transcoded_bytes=amounts,
        ingest_rate=amounts,
        outgoing_rate=amounts,
        is_healthy=flags,
        issues=st.none() | st.lists(texts, max_size=8).map(tuple),
        record=flags,
        recording_status=st.none() | texts | st.sampled_from(["waiting", "ready", "failed", "none"]),
        recording_url=st.none() | texts,
        mp4_url=st.none() | texts,
        profiles=st.none() | st.lists(profiles, max_size=3).map(tuple),
        playback_id=st.none() | texts,
        project_id=st.none() | texts,
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)
"""All that the client can return: ids are clean and unique, everything else is arbitrary."""
