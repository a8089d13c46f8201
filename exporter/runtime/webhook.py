"""The webhook of one account: what receives its calls, and the task that polls the streams they name."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from exporter.metrics.instruments import Telemetry
from exporter.polling.hints import HintQueue, StreamPoller
from exporter.polling.request_budget import RequestBudget
from exporter.runtime.environment import Environment
from exporter.webhooks.intake import Intake, SeenEvents
from exporter.webhooks.secrets import SecretFile


@dataclass(frozen=True, slots=True)
class WebhookMemory:
    """What is remembered of an account's webhook, whatever happens to its settings.

    Attributes:
        budget: of the requests that it causes.
        seen: the events so far.
    """

    budget: RequestBudget
    seen: SeenEvents = field(default_factory=SeenEvents)


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

    def start(self, poller: StreamPoller) -> None:
        """Poll the streams from now on."""
        self._task = asyncio.create_task(self.queue.run(poller), name="webhook")

    async def stop(self) -> None:
        """Cancel a running poll of a stream, and start no other."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def create_webhook(
    secret_file: Path,
    environment: Environment,
    telemetry: Telemetry,
    memory: WebhookMemory,
    *,
    server_now: Callable[[], float],
    has_stream: Callable[[str], bool],
) -> AccountWebhook:
    """Create the webhook of an account.

    Args:
        secret_file: has its secrets.
        environment: clocks and the log redactor.
        telemetry: the account's instruments.
        memory: of the account's webhook.
        server_now: Unix seconds of the API's clock.
        has_stream: whether a stream is polled at all.
    """
    queue = HintQueue(
        memory.budget,
        telemetry,
        server_now=server_now,
        monotonic=environment.monotonic,
        sleep=environment.sleep,
        has_stream=has_stream,
    )
    secrets = SecretFile(secret_file, environment.redact)
    return AccountWebhook(Intake(secrets, server_now, telemetry, memory.seen, queue), queue)
