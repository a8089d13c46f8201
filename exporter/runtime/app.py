"""The polled accounts and the pages that show them, without listeners, signals or log configuration."""

import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from starlette.applications import Starlette

from exporter.config import Account, Settings
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.instruments import Telemetry
from exporter.pages import status_page
from exporter.pages.routes import Health, create_app
from exporter.pages.session_lists import Fold
from exporter.polling.plan import Plan, Status
from exporter.polling.poll import scope_of
from exporter.polling.poller import StreamPolling
from exporter.polling.publish import Publisher
from exporter.polling.request_budget import RequestBudget
from exporter.polling.scheduler import PollScheduler, Scheduler
from exporter.runtime.account import AccountRuntime, digest_credentials
from exporter.runtime.build import (
    create_http_client,
    create_livepeer_client,
    create_page_store,
    create_plan,
    create_poller,
    create_process_metrics,
    create_telemetry,
)
from exporter.runtime.environment import Environment
from exporter.runtime.file_reading import read_files
from exporter.runtime.trust_store import TrustStore, load_trust_store
from exporter.runtime.webhook import AccountWebhook, WebhookMemory, create_webhook
from exporter.webhooks.intake import Intake

STARTUP_SETTINGS: Final = (
    "web_listen_address",
    "web_health_listen_address",
    "web_telemetry_path",
    "web_disable_exporter_metrics",
    "web_config_file",
    "web_max_connections",
    "web_max_header_bytes",
    "web_header_timeout",
    "web_response_timeout",
    "web_idle_timeout",
    "webhook_listen_address",
    "webhook_config_file",
    "log_format",
    "issue_texts",
    "profile_series",
    "playback_ids",
    "project_ids",
    "shard_index",
    "shard_count",
)
"""Settings that a reload does not change."""


class App:
    """The polled accounts and their pages.

    Args:
        settings: all settings.
        environment: clocks, randomness and the log redactor.
        scheduler: runs the polls; defaults to a scheduler on the environment's clocks.
    """

    def __init__(self, settings: Settings, environment: Environment, scheduler: Scheduler | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._stopping = False
        self._trust_store_digest = b""
        self._accounts: dict[str, AccountRuntime] = {}
        self._starting: dict[str, tuple[Plan, Telemetry]] = {}
        self._webhook_memories: dict[str, WebhookMemory] = {}
        self.page_store: Final = create_page_store(settings, environment)
        self.scheduler: Final[Scheduler] = scheduler or PollScheduler(environment.now, environment.monotonic)
        self.process: Final = create_process_metrics(settings, environment, self.page_store)
        self.health: Final = Health(alive=self.scheduler.ticking, ready=lambda: not self._stopping)
        self._show_starting()

    def create_pages(self) -> Starlette:
        """Create the web application with all pages."""
        path = self._settings.web_telemetry_path
        return create_app(self.page_store, self.process, self.health, self.render_status_page, metrics_path=path)

    def render_status_page(self, fold: Fold = "closed") -> str:
        """Render the status page as HTML, with the list of live sessions folded or not."""
        starting = {name: (plan, Status()) for name, (plan, _) in self._starting.items()}
        polled = {name: (each.poller.plan, each.poller.status) for name, each in self._accounts.items()}
        return status_page.render(
            list((starting | polled).values()),
            self.page_store.account_pages(),
            now=self._environment.now(),
            metrics_path=self._settings.web_telemetry_path,
            issue_texts=self._settings.issue_texts,
            fold=fold,
        )

    async def start(self) -> None:
        """Start polling; the first polls of the accounts are spread over the interval.

        Raises:
            OSError: the CA file or the proxy variables cannot be used.
        """
        trust_store = await read_files(lambda: load_trust_store(self._settings))
        opened = await self._open(self._settings.accounts, self._settings, trust_store.context)
        self._trust_store_digest = trust_store.digest
        self._schedule_spread(opened)
        self._starting.clear()
        await self.scheduler.start()

    def has_started(self) -> bool:
        """Return whether the accounts are polled, so that their webhooks can be received."""
        return not self._starting

    async def apply(self, settings: Settings) -> tuple[str, ...]:
        """Change the settings while polling; accounts keep their counters, and their polls stay spread.

        Returns:
            The names of changed settings that only take effect after a restart.

        Raises:
            OSError: the CA file or the proxy variables cannot be used; nothing has changed.
        """
        current = self._settings
        needs_restart = tuple(name for name in STARTUP_SETTINGS if getattr(settings, name) != getattr(current, name))
        settings = settings.model_copy(update={name: getattr(current, name) for name in STARTUP_SETTINGS})
        trust_store = await read_files(lambda: load_trust_store(settings))
        opened = await self._open(self._changed_accounts(settings, trust_store), settings, trust_store.context)
        # Everything that can fail is done.
        self._settings, self._trust_store_digest = settings, trust_store.digest
        for name in self._accounts.keys() - {account.name for account in settings.accounts}:
            await self._remove(name)
        added = [each for each in opened if each.account.name not in self._accounts]
        for each in opened:
            if each.account.name in self._accounts:
                await self._replace(each)
        self._schedule_spread(added)
        self._forget_webhooks()
        self.page_store.budget.limit = settings.max_series
        self.process.set_series_limit(settings.max_series)
        return needs_restart

    def begin_stop(self) -> None:
        """Report not ready from now on, so that load balancers stop sending scrapes."""
        self._stopping = True

    async def stop(self) -> None:
        """Cancel running polls and close all connections to the API."""
        self.begin_stop()
        await self.scheduler.stop()
        for each in self._accounts.values():
            await each.close()

    def _show_starting(self) -> None:
        """Show every account on the pages, which are served before polling has started (V11)."""
        for account in self._settings.accounts:
            plan, telemetry = create_plan(account, self._settings), create_telemetry(account.name, self._settings)
            self._starting[account.name] = plan, telemetry
            Publisher(account.name, telemetry, self.page_store).initial(plan)

    def _telemetry_of(self, name: str) -> Telemetry:
        if name in self._accounts:
            return self._accounts[name].telemetry
        return self._starting[name][1] if name in self._starting else create_telemetry(name, self._settings)

    def _changed_accounts(self, settings: Settings, trust_store: TrustStore) -> Sequence[Account]:
        """The accounts that are new, or that have to be opened again."""
        if trust_store.digest != self._trust_store_digest or settings.trust_env != self._settings.trust_env:
            return settings.accounts
        return [account for account in settings.accounts if self._has_changed(account)]

    def _has_changed(self, account: Account) -> bool:
        current = self._accounts.get(account.name)
        return (
            current is None
            or current.account != account
            or current.was_rejected_with_other(digest_credentials(account, self._environment))
        )

    async def _open(
        self, accounts: Sequence[Account], settings: Settings, ssl_context: ssl.SSLContext
    ) -> list[AccountRuntime]:
        """Open all these accounts, or none if one of them fails."""
        opened = []
        async with AsyncExitStack() as on_failure:
            for account in accounts:
                http_client = create_http_client(account, settings, ssl_context)
                on_failure.push_async_callback(http_client.aclose)
                opened.append(self._create(account, settings, http_client))
            on_failure.pop_all()
        return opened

    def _create(self, account: Account, settings: Settings, http_client: HTTPClient) -> AccountRuntime:
        environment, telemetry = self._environment, self._telemetry_of(account.name)
        client = create_livepeer_client(http_client, account, settings, environment, telemetry)
        webhook = streams = None
        if account.webhook_secret_file and settings.webhook_listen_address:
            memory = self._webhook_memory(account)
            webhook = create_webhook(
                account.webhook_secret_file,
                environment,
                telemetry,
                memory,
                server_now=client.clock.now,
                has_stream=scope_of(create_plan(account, settings)).has_parent,
            )
            # Its own clock and page limit: whatever happens to it changes nothing for the account's polls.
            stream_client = create_livepeer_client(
                http_client, account, settings, environment, telemetry, permit=memory.budget.spend
            )
            streams = StreamPolling(stream_client, webhook.queue.on_account_polled)
        poller = create_poller(account, settings, environment, client, telemetry, self.page_store, streams=streams)
        credentials = digest_credentials(account, environment)
        return AccountRuntime(account, credentials, poller, telemetry, http_client, webhook)

    def _webhook_memory(self, account: Account) -> WebhookMemory:
        """What is remembered of an account's webhook; new at its first use."""
        budget = RequestBudget(account.webhook_max_requests_per_minute, self._environment.monotonic)
        return self._webhook_memories.setdefault(account.name, WebhookMemory(budget))

    def _forget_webhooks(self) -> None:
        """Forget the webhooks of accounts that are gone, except for requests of the last minute."""
        memories = self._webhook_memories.items()
        known = {name: each for name, each in memories if name in self._accounts or not each.budget.is_unspent}
        self._webhook_memories = known

    def intake_of(self, name: str) -> Intake | None:
        """Return the webhook of an account, or None if it has none."""
        webhook = self._accounts[name].webhook if name in self._accounts else None
        return webhook.intake if webhook else None

    def _schedule_spread(self, accounts: Sequence[AccountRuntime]) -> None:
        for place, each in enumerate(accounts):
            self._add(each, delay=each.account.poll_interval * place / len(accounts))

    def _add(self, added: AccountRuntime, delay: float) -> None:
        self._accounts[added.account.name] = added
        if added.webhook:
            self._start_webhook(added, added.webhook)
        added.poller.publish_initial()
        self.scheduler.add(added.account.name, added.poller, added.account.poll_interval, delay=delay)

    def _start_webhook(self, added: AccountRuntime, webhook: AccountWebhook) -> None:
        account, telemetry = added.account, added.telemetry
        self._webhook_memories[account.name].budget.limit = account.webhook_max_requests_per_minute
        telemetry.show_webhooks()
        self.page_store.follow_webhooks(account.name, telemetry.changed_webhooks)
        webhook.start(added.poller)

    async def _replace(self, changed: AccountRuntime) -> None:
        name = changed.account.name
        previous = self._accounts[name]
        due_in = await self.scheduler.remove(name)
        await previous.stop()
        # Nothing is awaited from here until the account is replaced, so no call of its webhook is lost.
        changed.inherit(previous)
        self._add(changed, delay=changed.next_poll_in(previous, due_in))
        await previous.close()

    async def _remove(self, name: str) -> None:
        """Stop polling an account."""
        await self.scheduler.remove(name)
        await self._accounts.pop(name).close()
        self.page_store.remove(name)
