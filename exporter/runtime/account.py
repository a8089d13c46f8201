"""A polled account, and when it is polled next after its settings have changed."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from exporter.config import Account
from exporter.livepeer.errors import MissingKeyError
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.instruments import Telemetry
from exporter.polling.poller import Poller
from exporter.runtime.build import create_api_key
from exporter.runtime.environment import Environment
from exporter.runtime.webhook import AccountWebhook

REJECTIONS: Final = ("auth", "forbidden")
"""Failure classes of credentials that the API rejected (401, 403)."""


@dataclass(frozen=True, slots=True)
class AccountRuntime:
    """A polled account with the objects that belong to it.

    Attributes:
        account: its settings.
        credentials: digest of its API key and base URL; see `digest_credentials`.
        poller: polls it.
        telemetry: its counters; kept when its settings change.
        http_client: its connections.
        webhook: None if it has none.
    """

    account: Account
    credentials: bytes = field(repr=False)
    poller: Poller
    telemetry: Telemetry
    http_client: HTTPClient
    webhook: AccountWebhook | None = None

    async def stop(self) -> None:
        """Stop the webhook's polls."""
        if self.webhook:
            await self.webhook.stop()

    async def close(self) -> None:
        """Stop the webhook's polls and close all connections to the API."""
        await self.stop()
        await self.http_client.aclose()

    def inherit(self, previous: "AccountRuntime") -> None:
        """Continue from the account with the settings before a change."""
        self.poller.inherit(previous.poller)
        if self.webhook and previous.webhook:
            self.webhook.queue.inherit(previous.webhook.queue)

    def was_rejected_with_other(self, credentials: bytes) -> bool:
        """Whether the API rejected the last poll, which used other credentials than these."""
        failure = self.poller.status.failure
        return failure is not None and failure.kind in REJECTIONS and credentials != self.credentials

    def next_poll_in(self, previous: "AccountRuntime", due_in: float) -> float:
        """Seconds until the first poll with these settings.

        Args:
            previous: the account with the settings before the change.
            due_in: seconds until the next poll with those settings.
        """
        if previous.was_rejected_with_other(self.credentials):
            return 0.0
        return rescaled_delay(
            due_in,
            previous_interval=previous.account.poll_interval,
            interval=self.account.poll_interval,
            is_failing=previous.poller.status.failure is not None,
        )


def rescaled_delay(due_in: float, *, previous_interval: float, interval: float, is_failing: bool) -> float:
    """Seconds until the next poll after the interval has changed.

    The delay is scaled with the interval: accounts whose polls are spread over the interval stay spread, and no two
    polls are closer than the shorter of the intervals. After a failure the delay is never shortened, because the API
    may have requested it (`Retry-After`).
    """
    ratio = interval / previous_interval
    return due_in * (max(1.0, ratio) if is_failing else ratio)


def digest_credentials(account: Account, environment: Environment) -> bytes:
    """Digest of the API key as it is now and of the base URL."""
    key = ""
    with suppress(MissingKeyError):
        key = create_api_key(account, environment)()
    return hashlib.sha256(f"{account.base_url} {key}".encode()).digest()
