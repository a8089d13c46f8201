"""An account that is being polled: what belongs to it, and when it is due after its settings have changed."""

import hashlib
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from exporter.config import Account
from exporter.livepeer.api_key import APIKey
from exporter.livepeer.errors import MissingKeyError
from exporter.metrics.instruments import Telemetry
from exporter.polling.poller import Poller


@dataclass(frozen=True, slots=True)
class AccountRuntime:
    """An account, and what works for it.

    Attributes:
        account: its settings.
        identity: tells its key and base URL from others; see `identity_of`.
        poller: polls it.
        telemetry: counts for it, across changes of its settings.
        resources: closes its connections.
    """

    account: Account
    identity: bytes = field(repr=False)
    poller: Poller
    telemetry: Telemetry
    resources: AsyncExitStack

    def may_be_let_in(self, identity: bytes) -> bool:
        """Whether the API refused us, and might not any more, since we would now come with another key or elsewhere."""
        failure = self.poller.status.failure
        return failure is not None and failure[0] in ("auth", "forbidden") and identity != self.identity

    def due_after(self, known: "AccountRuntime", due_in: float) -> float:
        """In how many seconds the account is due, if before the change, as `known`, it was due in `due_in`.

        With another interval the rest of it shrinks or grows as the whole does: no two polls come closer than the
        shorter of the two, and accounts that were spread stay so. A wait after a failure may be the API's wish and
        does not shrink.
        """
        if known.may_be_let_in(self.identity):
            return 0.0
        stretch = self.account.poll_interval / known.account.poll_interval
        return due_in * (stretch if known.poller.status.failure is None else max(1.0, stretch))


def key_of(account: Account, redact: Callable[[str], None]) -> APIKey:
    """The key that an account asks with."""
    return APIKey(account.api_key.get_secret_value() if account.api_key else None, account.api_key_file, redact)


def identity_of(account: Account, redact: Callable[[str], None]) -> bytes:
    """A digest of what an account shows to whom at this moment: its key and its base URL."""
    key = ""
    with suppress(MissingKeyError):
        key = key_of(account, redact)()
    return hashlib.sha256(f"{account.base_url} {key}".encode()).digest()
