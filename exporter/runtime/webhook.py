"""The webhook of one account: what receives its calls, and the task that polls the streams they name."""

import asyncio
from dataclasses import dataclass, field

from exporter.config import Account
from exporter.livepeer.client import LivepeerClient
from exporter.metrics.instruments import Telemetry
from exporter.polling.hints import HintQueue
from exporter.polling.poller import Poller
from exporter.polling.request_budget import RequestBudget
from exporter.runtime.environment import Environment
from exporter.webhooks.intake import Intake, SeenEvents
from exporter.webhooks.secrets import SecretFile


@dataclass(slots=True)
class AccountWebhook:
    """The webhook of one account.

    Attributes:
        intake: receives the calls.
        queue: the streams to poll.
    """

    intake: Intake
    queue: HintQueue
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Poll the streams from now on."""
        self._task = asyncio.create_task(self.queue.run(), name="webhook")

    async def stop(self) -> None:
        """Cancel a running poll of a stream, and start no other."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def create_webhook(
    account: Account,
    environment: Environment,
    poller: Poller,
    client: LivepeerClient,
    budget: RequestBudget,
    telemetry: Telemetry,
    seen: SeenEvents,
) -> AccountWebhook | None:
    """Create the webhook of an account, or None if it has no secret.

    Args:
        account: the account.
        environment: clocks and the log redactor.
        poller: of the account.
        client: of the account's polls, whose clock is that of the API.
        budget: of the requests that webhooks cause.
        telemetry: the account's instruments.
        seen: the events so far.
    """
    if account.webhook_secret_file is None:
        return None
    streams = frozenset(account.stream_ids)
    queue = HintQueue(
        poller,
        budget,
        telemetry,
        server_now=client.clock.now,
        monotonic=environment.monotonic,
        has_stream=lambda stream: not streams or stream in streams,
    )
    secrets = SecretFile(account.webhook_secret_file, environment.redact)
    return AccountWebhook(Intake(secrets, client.clock.now, telemetry, seen, queue), queue)
