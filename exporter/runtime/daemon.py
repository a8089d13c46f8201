"""The running program: start, main loop, shutdown.

Signals:

- SIGTERM, SIGINT: stop; scrapes in flight may finish, then the program exits with code 0. A second one exits at once.
- SIGHUP: reload the settings file, the API keys, the CA file and the web config file.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from starlette.types import ASGIApp

from exporter.config import LoadedSettings, Settings, SettingsError
from exporter.logs import event
from exporter.pages.routes import create_probe_app
from exporter.pages.webhook_calls import create_webhook_app
from exporter.runtime.app import App
from exporter.runtime.environment import Environment, is_out_of_descriptors
from exporter.runtime.file_reading import READ_TIMEOUT, read_files
from exporter.runtime.service_manager import ServiceManager, watchdog_interval
from exporter.server.basic_auth import BasicAuth
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from exporter.server.rate_limit import RateLimiter
from exporter.server.web_config import WebConfigError
from exporter.server.web_config_reload import WebConfigFile
from exporter.version import VERSION

logger = logging.getLogger(__name__)

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

SHUTDOWN_GRACE: Final = 3.0
"""Seconds that scrapes in flight have to finish."""

START_RETRY: Final = 0.5
"""Seconds between two attempts to start polling while no file descriptors are left."""

GC_THRESHOLDS: Final = (5_000, 20, 100)
"""Arguments of `gc.set_threshold`.

Requests leave reference cycles, which should not accumulate. The collector does not track sessions, so polls of many
sessions hardly trigger it.
"""

PAGES_FLAG: Final = "--web.listen-address"
PROBES_FLAG: Final = "--web.health-listen-address"
WEBHOOKS_FLAG: Final = "--webhook-listen-address"
WEBHOOK_CONFIG_FLAG: Final = "--webhook-config-file"

UNAUTHENTICATED_PATHS: Final = ("/livez", "/readyz")


class Daemon:
    """One run of the program.

    Args:
        load: loads the settings again; called on SIGHUP.
        loaded: the settings at the start.
        environment: clocks, randomness and the log redactor.
        environ: environment variables; those of the service manager are used.
        announce: called with the port of the first address once the pages are served.
        read_timeout: seconds that the files of a reload may take.

    Attributes:
        announce_webhooks: called with the port of the webhooks once they are received; assign it before `run`.
    """

    def __init__(
        self,
        load: Callable[[], LoadedSettings],
        loaded: LoadedSettings,
        environment: Environment,
        *,
        environ: Mapping[str, str],
        announce: Callable[[int], None] = lambda _: None,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self._load = load
        self._settings = loaded.settings
        self._warnings = loaded.warnings
        self._environment = environment
        self._announce = announce
        self.announce_webhooks: Callable[[int], None] = lambda _: None
        self._read_timeout = read_timeout
        self._service_manager = ServiceManager.from_environ(environ)
        self._watchdog_interval = watchdog_interval(environ, os.getpid())
        self._app = App(loaded.settings, environment)
        self._web_config = WebConfigFile(loaded.settings.web_config_file)
        self._webhook_config = WebConfigFile(loaded.settings.webhook_config_file, flag=WEBHOOK_CONFIG_FLAG)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, and shut down.

        Raises:
            OSError: an address cannot be listened on, or the CA file or the proxy variables cannot be used.
            WebConfigError: the web config file is invalid.
        """
        async with AsyncExitStack() as shutdown:
            await self._start(shutdown)
            await self._main_loop()
            self._app.begin_stop()
            self._service_manager.stopping()
            event(logger, logging.INFO, "stopping")
        # Leaving the stack has stopped the watchdog, the polls, and the listeners after the scrapes in flight.

    async def _start(self, shutdown: AsyncExitStack) -> None:
        """Listen, then start polling; what has been started is added to `shutdown`, which stops it in reverse order."""
        self._add_signal_handlers()
        shutdown.callback(self._remove_signal_handlers)
        listeners = self._create_listeners()
        shutdown.push_async_callback(_stop_all, listeners.values())
        for flag, listener in listeners.items():
            await _start_listening(listener, flag)
        self._report_listening(listeners[PAGES_FLAG].ports)
        if WEBHOOKS_FLAG in listeners:
            port = listeners[WEBHOOKS_FLAG].port
            event(logger, logging.INFO, "listening for webhooks", port=port)
            self.announce_webhooks(port)
        if await self._start_polling():
            shutdown.push_async_callback(self._app.stop)
        if self._watchdog_interval:
            watchdog = asyncio.create_task(self._notify_watchdog(self._watchdog_interval), name="service watchdog")
            shutdown.push_async_callback(_cancel, watchdog)
        # What has been loaded stays until the end, and traversing it would block the event loop for many milliseconds.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self._service_manager.ready()

    async def _main_loop(self) -> None:
        """Reload on SIGHUP until SIGTERM or SIGINT."""
        while not self._stop.is_set():
            await _first_of(self._stop.wait(), self._reload.wait())
            if self._reload.is_set() and not self._stop.is_set():
                # Cleared before the reload: a SIGHUP that arrives during it announces another change.
                self._reload.clear()
                # Shutdown does not wait for a running reload: reading a file on a network drive may never end.
                await _first_of(self._stop.wait(), self.reload())

    async def reload(self) -> None:
        """Load the settings again; if they are invalid, the current ones stay in effect."""
        self._service_manager.reloading(self._environment.monotonic())
        try:
            # All files are read before any takes effect.
            loaded, web_config, webhook_config = await read_files(
                lambda: (self._load(), self._web_config.load(), self._webhook_config.load()), timeout=self._read_timeout
            )
            needs_restart = await self._app.apply(loaded.settings)
        except (SettingsError, WebConfigError, OSError) as error:
            self._report_failed_reload(str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - an internal error must not end a running program; R12
            self._report_failed_reload(["internal error"], error)
        else:
            self._web_config.apply(web_config)
            self._webhook_config.apply(webhook_config)
            self._settings = loaded.settings
            logging.getLogger().setLevel(loaded.settings.log_level.upper())
            self._app.process.config_loaded(ok=True)
            event(logger, logging.INFO, "settings reloaded", accounts=len(loaded.settings.accounts))
            for name in needs_restart:
                event(logger, logging.WARNING, "a changed setting takes effect after a restart only", setting=name)
        self._service_manager.ready()

    def _report_failed_reload(self, reasons: list[str], error: Exception | None = None) -> None:
        self._app.process.config_loaded(ok=False)
        for reason in reasons:
            message = "reload failed, the current settings stay in effect"
            event(logger, logging.ERROR, message, error=error, reason=reason)

    def _add_signal_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_stop_signal)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)

    def _remove_signal_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)

    def _on_stop_signal(self) -> None:
        if self._stop.is_set():  # a second signal
            os._exit(1)
        self._stop.set()

    def _create_listeners(self) -> dict[str, Listener]:
        """Create the listeners, by the flag that sets their address."""
        settings, limits = self._settings, _limits(self._settings)
        pages = self._protected(self._app.create_pages(), self._web_config, UNAUTHENTICATED_PATHS)
        tls, on_close = self._web_config.context, self._app.process.count_closed_connection
        addresses = settings.web_listen_address
        listeners = {PAGES_FLAG: Listener(pages, *addresses, limits=limits, tls=tls, on_close=on_close)}
        if settings.web_health_listen_address:
            probes = create_probe_app(self._app.health)
            address = settings.web_health_listen_address
            listeners[PROBES_FLAG] = Listener(probes, address, limits=limits, on_close=on_close)
        if settings.webhook_listen_address:
            webhooks = self._protected(
                create_webhook_app(self._app.intake_of, has_started=self._app.has_started), self._webhook_config
            )
            address, tls = settings.webhook_listen_address, self._webhook_config.context
            listeners[WEBHOOKS_FLAG] = Listener(webhooks, address, limits=limits, tls=tls, on_close=on_close)
        return listeners

    def _protected(self, app: ASGIApp, file: WebConfigFile, open_paths: Sequence[str] = ()) -> ASGIApp:
        """Return an application with the authentication and the rate limit of a web config file."""
        auth = BasicAuth(app, file.config, open_paths=open_paths)
        return RateLimiter(auth, file.config, exempt_paths=open_paths, monotonic=self._environment.monotonic)

    def _report_listening(self, ports: Sequence[int]) -> None:
        for port in ports:
            event(logger, logging.INFO, "listening", version=VERSION, port=port, path=self._settings.web_telemetry_path)
        for warning in self._warnings:
            event(logger, logging.WARNING, "settings warning", reason=warning)
        self._announce(ports[0])

    async def _start_polling(self) -> bool:
        """Start polling; retry while clients take all file descriptors, since the listeners are open already (R11).

        Returns:
            False if a signal requested a stop before polling could start.
        """
        is_logged = False
        while not self._stop.is_set():
            try:
                await self._app.start()
            except OSError as error:
                if not is_out_of_descriptors(error):
                    raise
                if not is_logged:
                    event(logger, logging.WARNING, "cannot start polling yet", reason=error.strerror)
                is_logged = True
                await _first_of(self._stop.wait(), asyncio.sleep(START_RETRY))
            else:
                return True
        return False

    async def _notify_watchdog(self, interval: float) -> None:
        while True:
            if self._app.scheduler.ticking():
                self._service_manager.alive()
            await asyncio.sleep(interval)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_connections=settings.web_max_connections,
        max_header_bytes=settings.web_max_header_bytes,
        header_timeout=settings.web_header_timeout,
        response_timeout=settings.web_response_timeout,
        idle_timeout=settings.web_idle_timeout,
    )


async def _start_listening(listener: Listener, flag: str) -> None:
    try:
        await listener.start()
    except OSError as error:
        raise OSError(f"{error}; choose another address with {flag}") from None


async def _stop_all(listeners: Iterable[Listener]) -> None:
    await asyncio.gather(*(listener.stop(SHUTDOWN_GRACE) for listener in listeners))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _first_of(*awaitables: Awaitable[object]) -> None:
    """Wait until one of them is done and cancel the others; raise its error if it failed."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
