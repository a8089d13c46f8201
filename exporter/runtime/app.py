"""The composition root: the one place where the parts meet."""

import asyncio
import errno
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette

from exporter.config import Account, Settings
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import create_http_client, create_ssl_context
from exporter.metrics.catalogue import Options
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.process import Process
from exporter.metrics.series_limit import SeriesBudget
from exporter.pages import routes as web
from exporter.pages import status_page as landing
from exporter.polling.plan import Plan
from exporter.polling.poller import Poller
from exporter.polling.scheduler import Clock, Schedule
from exporter.runtime.account import AccountRuntime, identity_of, key_of
from exporter.sessions.snapshot import Windows

EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE)
"""The errors of a system, or a process, that has no descriptors left."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the program takes from outside; a test passes its own.

    Attributes:
        now: Unix seconds of the wall clock.
        monotonic: seconds.
        jitter: a random number between 0 and 1.
        redact: called with every secret in use; the logs replace it from then on.
        revision: what the program was built from.
        sleep: waits so many seconds before a request is repeated.
    """

    now: Callable[[], float]
    monotonic: Callable[[], float]
    jitter: Callable[[], float]
    redact: Callable[[str], None]
    revision: str = "unknown"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class App:
    """Polls the accounts of the settings, and has the pages that show them.

    Args:
        settings: everything that can be set.
        environment: the clocks, the randomness, the ear for secrets.
        schedule: when polls are due; None is a clock of its own.
    """

    def __init__(self, settings: Settings, environment: Environment, schedule: Schedule | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._stopping = False
        self._trusted = b""
        self._members: dict[str, AccountRuntime] = {}
        self.board: Final = create_board(settings, environment)
        self.clock: Final[Schedule] = schedule or Clock(environment.now, environment.monotonic)
        self.process: Final = Process(
            revision=environment.revision,
            series=self.board.series,
            series_limit=settings.max_series,
            shard=(settings.shard_index, settings.shard_count),
            now=environment.now,
        )
        self.health: Final = web.Health(alive=self.clock.ticking, ready=lambda: not self._stopping)

    def pages(self) -> Starlette:
        """The web application."""
        path = self._settings.web_telemetry_path
        return web.create_app(self.board, self.process, self.health, self.landing, metrics_path=path)

    def landing(self) -> str:
        """The page for people."""
        return landing.render(
            [(member.poller.plan, member.poller.status) for member in self._members.values()],
            self.board.account_pages(),
            now=self._environment.now(),
            metrics_path=self._settings.web_telemetry_path,
            issue_texts=self._settings.issue_texts,
        )

    async def start(self) -> None:
        """Begin to poll; the first account at once, the others spread over the interval.

        Raises:
            OSError: the CA file or the proxy cannot be used.
        """
        trust, self._trusted = await asyncio.to_thread(_trust_and_digest, self._settings)
        opened = await self._open_all(self._settings.accounts, self._settings, trust)
        self._admit_spread(opened)
        await self.clock.start()

    async def apply(self, settings: Settings) -> tuple[str, ...]:
        """Go on with other settings; what accounts have counted so far stays, and so does when they are due.

        Returns:
            The names of the settings that differ, but only take effect with the next start.

        Raises:
            OSError: the CA file or the proxy cannot be used; nothing has changed then.
        """
        before = self._settings
        asked, settings = settings, settings.model_copy(update={name: getattr(before, name) for name in _FIXED})
        trust, trusted = await asyncio.to_thread(_trust_and_digest, settings)
        shared = trusted != self._trusted or settings.trust_env != before.trust_env
        changed = [account for account in settings.accounts if shared or self._differs(account)]
        opened = await self._open_all(changed, settings, trust)
        # From here on nothing fails.
        self._settings, self._trusted = settings, trusted
        wanted = {account.name for account in settings.accounts}
        for name in [name for name in self._members if name not in wanted]:
            await self._dismiss(name)
            self.board.remove(name)
        added = [member for member in opened if member.account.name not in self._members]
        for member in opened:
            if member.account.name in self._members:
                await self._replace(member)
        self._admit_spread(added)
        self.board.budget.limit = settings.max_series
        self.process.set_series_limit(settings.max_series)
        return tuple(name for name in _FIXED if getattr(before, name) != getattr(asked, name))

    def stopping(self) -> None:
        """From now on the program is not ready for scrapes any more."""
        self._stopping = True

    async def stop(self) -> None:
        """Stop polling, and close what is open."""
        self.stopping()
        await self.clock.stop()
        for member in self._members.values():
            await member.resources.aclose()

    def _differs(self, account: Account) -> bool:
        known = self._members.get(account.name)
        return (
            known is None
            or known.account != account
            or known.may_be_let_in(identity_of(account, self._environment.redact))
        )

    def _admit_spread(self, members: Sequence[AccountRuntime]) -> None:
        for place, member in enumerate(members):
            self._admit(member, delay=member.account.poll_interval * place / len(members))

    def _admit(self, member: AccountRuntime, delay: float) -> None:
        self._members[member.account.name] = member
        member.poller.publish_initial()
        self.clock.add(member.account.name, member.poller, member.account.poll_interval, delay=delay)

    async def _replace(self, member: AccountRuntime) -> None:
        known = self._members[member.account.name]
        due_in = await self._dismiss(member.account.name)
        member.poller.inherit(known.poller)
        self._admit(member, delay=member.due_after(known, due_in))

    async def _dismiss(self, name: str) -> float:
        due_in = await self.clock.remove(name)
        await self._members.pop(name).resources.aclose()
        return due_in

    async def _open_all(
        self, accounts: Sequence[Account], settings: Settings, trust: ssl.SSLContext
    ) -> list[AccountRuntime]:
        async with AsyncExitStack() as all_or_none:
            opened = []
            for account in accounts:
                known = self._members.get(account.name)
                telemetry = known.telemetry if known else Telemetry(account.name)
                resources = await all_or_none.enter_async_context(AsyncExitStack())
                studio = await open_studio(account, settings, self._environment, telemetry, resources, trust)
                poller = create_poller(account, settings, self._environment, studio, telemetry, self.board)
                identity = identity_of(account, self._environment.redact)
                opened.append(AccountRuntime(account, identity, poller, telemetry, resources))
            all_or_none.pop_all()
        return opened


def _trust_and_digest(settings: Settings) -> tuple[ssl.SSLContext, bytes]:
    """Whom to trust, and what tells it from another such; the file is read first, so that a change is never missed.

    Not for the loop: it takes some 20 ms, and whoever scrapes meanwhile need not wait for it.

    Raises:
        OSError: the CA file cannot be used; the text says so.
    """
    content = b""
    with suppress(OSError):  # told below
        content = settings.ca_file.read_bytes() if settings.ca_file else b""
    trust = create_trust(settings)
    # The file of the setting may trust a server's own certificate, and those are not among the authorities.
    known = sorted(trust.get_ca_certs(binary_form=True))
    return trust, hashlib.sha256(b"".join((content, *known))).digest()


_FIXED: Final = (
    "web_listen_address",
    "web_health_listen_address",
    "web_telemetry_path",
    "web_config_file",
    "web_max_connections",
    "web_max_header_bytes",
    "web_header_timeout",
    "web_answer_timeout",
    "web_idle_timeout",
    "log_format",
    "issue_texts",
    "profile_series",
    "playback_ids",
    "project_ids",
    "shard_index",
    "shard_count",
)
"""Settings that hold from the start to the end of a process."""


def options(settings: Settings) -> Options:
    """Which of the optional series the settings ask for."""
    return Options(
        issue_texts=settings.issue_texts,
        profile_series=settings.profile_series,
        playback_ids=settings.playback_ids,
        project_ids=settings.project_ids,
    )


def create_board(settings: Settings, environment: Environment) -> PageStore:
    """The board, with nothing on it."""
    return PageStore(options(settings), SeriesBudget(settings.max_series), environment.monotonic)


def create_poller(
    account: Account,
    settings: Settings,
    environment: Environment,
    studio: LivepeerClient,
    telemetry: Telemetry,
    board: PageStore,
    on_page: OnPage = no_progress,
) -> Poller:
    """What polls one account, put together."""
    plan = Plan(
        account=account.name,
        interval=account.poll_interval,
        deadline=account.poll_deadline,
        max_staleness=account.max_staleness,
        detail=account.detail,
        scope=scope(account, settings),
        windows=Windows(session=account.session_window, active=account.active_window),
    )
    return Poller(
        plan,
        studio,
        telemetry,
        board,
        now=environment.now,
        monotonic=environment.monotonic,
        jitter=environment.jitter,
        on_page=on_page,
    )


def create_trust(settings: Settings) -> ssl.SSLContext:
    """Whom every account trusts to be the API: nobody where none is asked by TLS, which spares reading the authorities.

    Raises:
        OSError: the CA file cannot be used; the text says so.
    """
    plain = all(account.base_url.startswith("http://") for account in settings.accounts)
    if plain and settings.ca_file is None and not settings.trust_env:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return create_ssl_context(
            ca_file=str(settings.ca_file) if settings.ca_file else None, trust_env=settings.trust_env
        )
    except OSError as error:
        if error.errno in EXHAUSTED:  # which has nothing to do with the file
            raise
        raise OSError(f"the CA file cannot be used: {error.strerror}") from None


async def open_studio(
    account: Account,
    settings: Settings,
    environment: Environment,
    telemetry: Telemetry,
    resources: AsyncExitStack,
    trust: ssl.SSLContext,
) -> LivepeerClient:
    """What asks the API for one account; ``resources`` closes its connections, ``trust`` is shared between accounts.

    Raises:
        OSError: the proxy cannot be used; the text says so.
    """
    try:
        client = create_http_client(trust, trust_env=settings.trust_env, connections=account.walk_concurrency)
    except Exception as error:
        if isinstance(error, OSError) or not settings.trust_env:
            raise
        # The library has no common error for it, and its texts show the proxy's user.
        raise OSError("the proxy variables of the environment cannot be used") from None
    await resources.enter_async_context(client)
    endpoint = SessionsEndpoint(
        client,
        account.base_url,
        key=key_of(account, environment.redact),
        clock=ServerClock(environment.now, environment.monotonic),
        meter=telemetry,
        jitter=environment.jitter,
        sleep=environment.sleep,
        request_timeout=account.request_timeout,
        concurrency=account.walk_concurrency,
    )
    return LivepeerClient(
        endpoint,
        page_limit=account.page_limit,
        # All shards together ask for as much at once as one exporter would.
        parts=max(1, account.walk_concurrency // settings.shard_count),
    )


def scope(account: Account, settings: Settings) -> Scope:
    """Which sessions an account asks for; a shard asks for its part of the ids alone."""
    shards = ALL_IDS.split(settings.shard_count)
    return Scope(
        session_window=account.session_window,
        recording_window=account.recording_window,
        stream_ids=frozenset(account.stream_ids),
        ids=shards[settings.shard_index],
    )
