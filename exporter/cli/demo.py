"""`demo`: serve the metrics of a simulated account."""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

from exporter.cli.arguments import Invocation
from exporter.cli.healthcheck import has_tls
from exporter.cli.terminal import SUCCESS, Terminal
from exporter.config import Address, LoadedSettings, Settings, SettingsError, load
from exporter.config.names import API_KEY_VARIABLES, ENV_PREFIX
from exporter.config.sources import read_environment, read_flags, read_settings_file
from exporter.logs import Redactor, configure
from exporter.runtime.daemon import Daemon
from exporter.runtime.environment import Environment
from exporter.simulator.api import create_app
from exporter.simulator.outages import FailingSource, Outages
from exporter.simulator.serve import serving
from exporter.simulator.webhooks import WebhookSender
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World

DEMO_SETTINGS: Final = {"account": "demo", "poll_interval": "5s", "active_window": "15s"}
"""Defaults of the demo; simulated streams start and end faster than real ones."""

OUTAGE_AFTER: Final = 150.0
"""Seconds until the simulated API fails for the first time."""

OUTAGE_EVERY: Final = 3600.0
"""Seconds from one outage to the next."""

OUTAGE_DURATION: Final = 75.0
"""Seconds of an outage; time without polls counts as unobserved from 60 s on."""

_CREDENTIAL_VARIABLES: Final = (*API_KEY_VARIABLES, f"{ENV_PREFIX}API_KEY_FILE")

_GREETING: Final = """
Serving a simulated Livepeer Studio account. Its streams start, degrade and end faster than real ones.
Its API fails for a short time after {outage:g} s, and once an hour, so that failed polls are shown too.

  status page  {url}/
  metrics      {url}{path}

Press Ctrl-C to stop.
"""


async def demo(
    invocation: Invocation, environ: Mapping[str, str], environment: Environment, redactor: Redactor, terminal: Terminal
) -> int:
    """Serve the metrics of a simulator in this process, polled over HTTP on loopback.

    Returns:
        The exit code.

    Raises:
        SettingsError: the settings are invalid.
        WebConfigError: the web config file is invalid.
        OSError: an address cannot be listened on.
    """
    key = f"demo-{random.getrandbits(64):016x}"
    start = environment.now()
    world = World(random.getrandbits(32), DEMO_STREAMS, start=start, speed=DEMO_SPEED)
    source = FailingSource(world, Outages(start + OUTAGE_AFTER, OUTAGE_EVERY, OUTAGE_DURATION))
    # The user's own API key is not sent to the simulator, nor the simulator's to the user's base URL.
    variables = {name: value for name, value in environ.items() if name not in _CREDENTIAL_VARIABLES}
    _reject_accounts(invocation.arguments, variables)
    async with serving(create_app(source, key=key, now=environment.now)) as url, AsyncExitStack() as closing:
        # A file, because the flag for it overrides every other source of a key.
        own = {"base_url": url, "api_key_file": hold_text(closing, key)}
        arguments = {**DEMO_SETTINGS, **invocation.arguments, **own}

        def load_settings() -> LoadedSettings:
            return load(arguments, variables)

        webhooks = _Webhooks(world, environment.now, load_settings().settings)
        arguments |= webhooks.prepare(closing)

        def announce(port: int) -> None:
            print(greeting(loaded.settings, port), file=terminal.out, flush=True)

        loaded = load_settings()
        configure(loaded.settings.log_level, loaded.settings.log_format, terminal.err, redact=redactor)
        daemon = Daemon(load_settings, loaded, environment, environ=environ, announce=announce)
        daemon.announce_webhooks = webhooks.start
        await daemon.run()
    return SUCCESS


def greeting(settings: Settings, port: int) -> str:
    """Return the text that is printed at the start: the pages, and how to stop.

    Args:
        settings: of the demo.
        port: the port of the first address, which can be any free one.
    """
    host = settings.web_listen_address[0].host
    is_local = host in ("", "0.0.0.0", "127.0.0.1", "::", "::1")  # noqa: S104 - compared with, not bound
    address = Address("localhost" if is_local else host, port)
    url = f"{'https' if has_tls(settings) else 'http'}://{address}"
    return _GREETING.format(url=url, path=settings.web_telemetry_path, outage=OUTAGE_AFTER)


def hold_text(closing: AsyncExitStack, text: str) -> str:
    """Write text to a file that exists until `closing` closes, and return its path.

    On Linux the file is in memory, since no directory is writable in a container with a read-only root.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("demo", os.MFD_CLOEXEC)
        closing.callback(os.close, descriptor)
        file = Path(f"/proc/self/fd/{descriptor}")
    else:
        file = Path(closing.enter_context(TemporaryDirectory())) / "demo"
    file.write_text(text, encoding="utf-8")
    return str(file)


def _reject_accounts(arguments: Mapping[str, str | bool], variables: Mapping[str, str]) -> None:
    """Raise SettingsError if the settings file has several accounts, which would conflict with the demo's own."""
    file = read_settings_file(read_flags(arguments), read_environment(variables))
    if "accounts" in file.values:
        raise SettingsError((f"{file.names['accounts']}: not for the demo, which simulates one account; remove it",))


class _Webhooks:
    """Sends the webhooks of the simulated account.

    Args:
        world: the account.
        now: Unix seconds.
        settings: without those for webhooks, unless the user has set them.
    """

    def __init__(self, world: World, now: Callable[[], float], settings: Settings) -> None:
        self._world = world
        self._now = now
        self._account = settings.accounts[0].name
        self._is_used = settings.shard_count == 1 and settings.webhook_listen_address is None
        self._secret = f"demo-{random.getrandbits(64):016x}"
        self._sending: asyncio.Task[None] | None = None

    def prepare(self, closing: AsyncExitStack) -> Mapping[str, str]:
        """Write the secret to a file, and return the settings for receiving the webhooks.

        There are none for a shard, which cannot receive webhooks, and if the user has set an address for them.
        """
        if not self._is_used:
            return {}
        file = hold_text(closing, self._secret)
        closing.push_async_callback(self._stop)
        return {"webhook_listen_address": "127.0.0.1:0", "webhook_secret_file": file}

    def start(self, port: int) -> None:
        """Send them to a port from now on."""
        if self._is_used:
            url = f"http://127.0.0.1:{port}/webhook/{quote(self._account, safe='')}"
            sender = WebhookSender(self._world, url, self._secret, now=self._now)
            self._sending = asyncio.create_task(sender.run(), name="webhooks")

    async def _stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
