"""The program as it runs: start, wait, reload, stop; and what signals mean.

SIGTERM and SIGINT end it with exit code 0 once scrapes in flight are answered; a second one ends it at once.
SIGHUP reads settings, key and web configuration again.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from exporter.config import LoadedSettings, Settings, SettingsError
from exporter.logs import event
from exporter.pages.routes import create_probe_app
from exporter.runtime.app import EXHAUSTED, App, Environment
from exporter.runtime.service_manager import Notifier, watchdog_interval
from exporter.server.basic_auth import BasicAuth
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from exporter.server.web_config import WebConfigError
from exporter.server.web_config_reload import WebConfigFile
from exporter.version import VERSION

logger = logging.getLogger(__name__)

GRACE: Final = 3.0
"""Seconds that scrapes in flight have to finish."""

START_PAUSE: Final = 0.5
"""Seconds after which polling is started again where descriptors were missing."""

COLLECTOR: Final = (5_000, 20, 100)
"""When Python looks for garbage in cycles, for ``gc.set_threshold``.

It does not look at sessions, so a poll of many of them hardly counts; requests leave cycles, which should not pile up.
"""

PROBES: Final = ("/livez", "/readyz")


class Daemon:
    """One run of the program.

    Args:
        load: reads the settings; called again on SIGHUP.
        loaded: the settings of the start.
        environment: the clocks, the randomness, the ear for secrets.
        environ: what a service manager tells its services.
        announce: told the port once the pages can be asked for.
    """

    def __init__(
        self,
        load: Callable[[], LoadedSettings],
        loaded: LoadedSettings,
        environment: Environment,
        *,
        environ: Mapping[str, str],
        announce: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._load = load
        self._settings = loaded.settings
        self._warnings = loaded.warnings
        self._environment = environment
        self._environ = environ
        self._announce = announce
        self._notifier = Notifier.of(environ)
        self._app = App(loaded.settings, environment)
        self._web = WebConfigFile(loaded.settings.web_config_file)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Serve until a signal says stop.

        Raises:
            OSError: an address cannot be listened on, or a file of the settings cannot be read.
            WebConfigError: the web configuration is wrong.
        """
        async with self._signals(), self._listening(), self._polling(), self._watchdog():
            # What is there by now stays; to look it all through would stop the loop for many milliseconds.
            gc.freeze()
            gc.set_threshold(*COLLECTOR)
            self._notifier.ready()
            await self._until_stopped()
            self._app.stopping()
            self._notifier.stopping()
            event(logger, logging.INFO, "stopping")

    async def _until_stopped(self) -> None:
        while not self._stop.is_set():
            await _first(self._stop.wait(), self._reload.wait())
            if self._reload.is_set() and not self._stop.is_set():
                # Before and not after: whoever asks during a reload has changed something since it began.
                self._reload.clear()
                # Whoever says stop does not wait for it: a file on a dead network drive may take for ever.
                await _first(self._stop.wait(), self.reload())

    async def reload(self) -> None:
        """Read the settings again; a mistake in them changes nothing."""
        self._notifier.reloading(self._environment.monotonic())
        try:
            # All is read before any of it is in force.
            loaded, web = await asyncio.to_thread(lambda: (self._load(), self._web.load()))
            waiting = await self._app.apply(loaded.settings)
        except (SettingsError, WebConfigError, OSError) as error:
            self._refuse_reload(*str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - a mistake of our own must not end a program that runs; R12
            self._refuse_reload("a mistake in the exporter itself", error=error)
        else:
            self._web.apply(web)
            self._settings = loaded.settings
            logging.getLogger().setLevel(loaded.settings.log_level.upper())
            self._app.process.config_loaded(ok=True)
            event(logger, logging.INFO, "settings read again", accounts=len(loaded.settings.accounts))
            for name in waiting:
                event(logger, logging.WARNING, "a setting has changed that needs a restart", setting=name)
        self._notifier.ready()

    def _refuse_reload(self, *reasons: str, error: Exception | None = None) -> None:
        self._app.process.config_loaded(ok=False)
        for reason in reasons:
            message = "the settings could not be read again, nothing has changed"
            event(logger, logging.ERROR, message, error=error, reason=reason)

    @asynccontextmanager
    async def _signals(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            os._exit(1)
        self._stop.set()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        listeners = self._listeners(self._settings)
        try:
            for listener in listeners:
                await listener.start()
            port = listeners[0].port
            event(logger, logging.INFO, "listening", version=VERSION, port=port, path=self._settings.web_telemetry_path)
            for warning in self._warnings:
                event(logger, logging.WARNING, "odd settings", reason=warning)
            self._announce(port)
            yield
        finally:
            await asyncio.gather(*(listener.stop(GRACE) for listener in listeners))

    def _listeners(self, settings: Settings) -> list[Listener]:
        pages = BasicAuth(self._app.pages(), self._web.config, open_paths=PROBES)
        limits = _limits(settings)
        listeners = [Listener(pages, settings.web_listen_address, limits=limits, tls=self._web.context)]
        if settings.web_health_listen_address:
            probes = create_probe_app(self._app.health)
            listeners.append(Listener(probes, settings.web_health_listen_address, limits=limits))
        return listeners

    @asynccontextmanager
    async def _polling(self) -> AsyncIterator[None]:
        if not await self._start_polling():
            yield
            return
        try:
            yield
        finally:
            await self._app.stop()

    async def _start_polling(self) -> bool:
        """Start, however many clients take all descriptors meanwhile: we listen already, and they will go; R11.

        False if a signal said stop before.
        """
        told = False
        while not self._stop.is_set():
            try:
                await self._app.start()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                if not told:
                    event(logger, logging.WARNING, "polling cannot start yet", reason=error.strerror)
                told = True
                await _first(self._stop.wait(), asyncio.sleep(START_PAUSE))
            else:
                return True
        return False

    @asynccontextmanager
    async def _watchdog(self) -> AsyncIterator[None]:
        interval = watchdog_interval(self._environ, os.getpid())
        task = asyncio.create_task(self._reassure(interval), name="service watchdog") if interval else None
        try:
            yield
        finally:
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _reassure(self, interval: float) -> None:
        while True:
            if self._app.clock.ticking():
                self._notifier.alive()
            await asyncio.sleep(interval)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_connections=settings.web_max_connections,
        max_header_bytes=settings.web_max_header_bytes,
        header_timeout=settings.web_header_timeout,
        response_timeout=settings.web_answer_timeout,
        idle_timeout=settings.web_idle_timeout,
    )


async def _first(*waits: Awaitable[object]) -> None:
    """Wait until one of them is done, and cancel the others; an error of the one is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
