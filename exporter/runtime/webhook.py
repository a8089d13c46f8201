"""The webhook of one account: what receives its calls, and the task that polls the streams they name."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from exporter.livepeer.client import LivepeerClient
from exporter.metrics.instruments import Telemetry
from exporter.polling.hints import HintQueue
from exporter.polling.poll import scope_of
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
    secret_file: Path,
    environment: Environment,
    poller: Poller,
    client: LivepeerClient,
    budget: RequestBudget,
    telemetry: Telemetry,
    seen: SeenEvents,
) -> AccountWebhook:
    """Create the webhook of an account.

    Args:
        secret_file: has its secrets.
        environment: clocks and the log redactor.
        poller: of the account.
        client: of the account's polls, whose clock is that of the API.
        budget: of the requests that webhooks cause.
        telemetry: the account's instruments.
        seen: the events so far.
    """
    queue = HintQueue(
        poller,
        budget,
        telemetry,
        server_now=client.clock.now,
        monotonic=environment.monotonic,
        has_stream=scope_of(poller.plan).has_parent,
    )
    secrets = SecretFile(secret_file, environment.redact)
    return AccountWebhook(Intake(secrets, client.clock.now, telemetry, seen, queue), queue)
