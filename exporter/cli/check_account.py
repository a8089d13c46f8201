"""The part of `check` about one account: reads what a poll reads, and describes it."""

import ssl
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from exporter.cli.check_table import Row, ok_unless
from exporter.config import Account, Settings
from exporter.config.durations import format_duration
from exporter.cooperative import run_yielding
from exporter.livepeer.client import SessionsResult
from exporter.livepeer.errors import MissingKeyError, PollError
from exporter.livepeer.page_reader import OnPage
from exporter.polling.plan import Plan, PollStart
from exporter.polling.poll import History, PollSpan, compare, fetch
from exporter.polling.render import Series
from exporter.runtime.build import create_http_client, create_livepeer_client, create_page_store, create_plan
from exporter.runtime.environment import Environment
from exporter.sessions.session import MAX_ID
from exporter.sessions.snapshot import STATES, Snapshot, take_snapshot
from exporter.text import clean
from exporter.webhooks.secrets import SecretFile

MAX_CLOCK_SKEW: Final = 5.0
"""Seconds of difference between the clocks above which the check warns."""


class RequestMeter(msgspec.Struct):
    """Measures the requests of one account.

    Attributes:
        seconds: the duration of each request.
        size: bytes of all response bodies.
        retries: number of repeated requests.
        rejected: number of responses with status 429.
    """

    seconds: list[float] = msgspec.field(default_factory=list)
    size: int = 0
    retries: int = 0
    rejected: int = 0

    def request(self, code: str, seconds: float, size: int) -> None:  # noqa: ARG002 - a failure has its own row
        """Record a finished request."""
        self.seconds.append(seconds)
        self.size += size

    def retry(self) -> None:
        """Record that a request is repeated."""
        self.retries += 1

    def throttled(self) -> None:
        """Record a response with status 429."""
        self.rejected += 1


class AccountCheck(msgspec.Struct, frozen=True):
    """The rows of an account, and the number of session and stream series that it needs; None if that is unknown."""

    rows: Sequence[Row]
    series: int | None = None


async def check_account(
    account: Account, settings: Settings, environment: Environment, ssl_context: ssl.SSLContext, on_page: OnPage
) -> AccountCheck:
    """Send the requests of one poll, and describe what they return."""
    name, meter, plan = f"account {account.name}", RequestMeter(), create_plan(account, settings)
    described = [Row("  base URL", "ok", account.base_url), *_webhook_secret(account, environment)]
    began = environment.monotonic()
    try:
        async with create_http_client(account, settings, ssl_context) as http_client:
            client = create_livepeer_client(http_client, account, settings, environment, meter)
            read = await fetch(client, plan, on_page)
    except OSError as error:
        return AccountCheck([Row(name, "failed", str(error)), _key(account), *described])
    except PollError as error:
        failed = Row(name, "failed", f"{error.failure}: {error}")
        key = _key(account, is_missing=isinstance(error, MissingKeyError))
        return AccountCheck([failed, key, *described, *_requests(meter)])
    seconds = environment.monotonic() - began
    snapshot = await run_yielding(take_snapshot(read.sessions, plan.windows, read.server_time, plan.reported_streams))
    changes = await run_yielding(compare(read, plan, History(), PollSpan(PollStart(environment.now(), began), seconds)))
    pages = create_page_store(settings, environment)
    series = await run_yielding(Series(plan, pages, snapshot, changes.history.lifecycle).count())
    rows = [
        Row(name, "ok", f"API key accepted; {len(read.sessions)} sessions in {read.pages} pages read"),
        _key(account),
        *described,
        _user_scope(read),
        _sessions(snapshot, plan, len(read.sessions)),
        Row("  series", "ok", f"{series} of sessions or streams, at detail {plan.detail}"),
        *_streams(snapshot, plan),
        _values(read),
        *_requests(meter),
        _duration(seconds, plan),
        *_clock(client.clock.skew),
    ]
    return AccountCheck(rows, series)


def _key(account: Account, *, is_missing: bool = False) -> Row:
    source = f"read from {account.api_key_file}" if account.api_key_file else "set in the environment"
    return Row("  API key", "failed", f"not {source}") if is_missing else Row("  API key", "ok", source)


def _webhook_secret(account: Account, environment: Environment) -> Iterator[Row]:
    path = account.webhook_secret_file
    if path is None:
        return
    if count := len(SecretFile(path, environment.redact)()):
        yield Row("  webhook secret", "ok", f"{count} read from {path}")
    else:
        yield Row("  webhook secret", "failed", f"{path} cannot be read, is empty or is not text; calls get 401")


def _user_scope(read: SessionsResult) -> Row:
    users = len({each.user_id for each in read.sessions if each.user_id})
    if users > 1:
        text = f"admin key: this key sees {users} users; use a key of the user whose sessions are wanted"
        return Row("  user scope", "warning", text)
    return Row("  user scope", "ok", "one user" if users else "unknown: no session has a user id")


def _sessions(snapshot: Snapshot, plan: Plan, read: int) -> Row:
    """Describe the exported sessions, and how many of those that were read are not exported."""
    counts = snapshot.totals.sessions
    states = ", ".join(f"{counts[state]} {state}" for state in STATES)
    start = (snapshot.server_time - plan.windows.session) * 1000
    earlier = sum(0 < (each.last_seen or 0) < start for each, _ in snapshot.sessions)
    text = f"{len(snapshot.sessions) - earlier} in the window of {format_duration(plan.windows.session)}"
    if earlier:
        text += f", {earlier} before it with unfinished or failed recordings"
    text += f": {states}"
    if others := read - len(snapshot.sessions):
        # The request for recordings cannot select by status.
        text += f"; {others} more before it, with finished recordings, {'is' if others == 1 else 'are'} not exported"
    return Row("  sessions", "ok", text)


def _streams(snapshot: Snapshot, plan: Plan) -> Iterator[Row]:
    configured, absent = plan.scope.stream_ids, snapshot.absent_streams
    if not configured:
        return
    if not plan.reported_streams:
        yield Row(
            "  streams", "ok", f"{len(configured)} configured; not checked, since a shard sees some sessions only"
        )
        return
    found = len(configured) - len(absent)
    yield Row("  streams", "ok", f"{found} of {len(configured)} configured streams have sessions")
    for each in absent:
        yield Row(
            f"  stream {clean(each, MAX_ID)}",
            "warning",
            f"no session in the window of {format_duration(plan.windows.session)}; is the id that of a parent stream?",
        )


def _values(read: SessionsResult) -> Row:
    values, sessions = sum(read.invalid_values.values()), sum(read.invalid_sessions.values())
    return Row("  values", ok_unless(bool(values or sessions)), f"{values} invalid values, {sessions} invalid sessions")


def _requests(meter: RequestMeter) -> Iterator[Row]:
    count = len(meter.seconds)
    if not count:
        return
    text = (
        f"{count} sent, {meter.size / 1000:.0f} kB received, {meter.retries} repeated; "
        f"{sum(meter.seconds) / count:.2f} s on average, at most {max(meter.seconds):.2f} s"
    )
    if meter.rejected:
        text += f"; {meter.rejected} rejected by the rate limit"
    yield Row("  requests", ok_unless(bool(meter.retries or meter.rejected)), text)


def _duration(seconds: float, plan: Plan) -> Row:
    interval = format_duration(plan.interval)
    if seconds > plan.interval:
        return Row("  poll duration", "warning", f"{seconds:.2f} s, longer than the poll interval of {interval}")
    return Row("  poll duration", "ok", f"{seconds:.2f} s, with a poll interval of {interval}")


def _clock(skew: float | None) -> Iterator[Row]:
    if skew is None:
        return
    text = f"the API's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) < MAX_CLOCK_SKEW:
        yield Row("  clock", "ok", text)
    else:
        yield Row("  clock", "warning", f"{text}; check that this machine synchronizes its clock")
