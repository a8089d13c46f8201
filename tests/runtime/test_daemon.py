"""The daemon: start, reload, shutdown, signals and the service manager."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx
import pytest

from exporter.config import LoadedSettings, SettingsError, load
from exporter.runtime.daemon import Daemon
from exporter.server.web_config import WebConfigError
from exporter.simulator.serve import serving
from tests.runtime.apps import ENVIRONMENT, wait_until
from tests.support.canary import KEY
from tests.support.deadlines import HANG
from tests.support.logged import lines
from tests.support.loop import advance, in_loop
from tests.support.ports import listening_ports
from tests.support.simulated import Upstream, live_row

pytestmark = pytest.mark.usefixtures("root_logger_as_before")

NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})


class RunningDaemon:
    """A daemon under test, its settings file, and requests to it."""

    def __init__(self, directory: Path, url: str, **settings: Any) -> None:
        self.file = directory / "settings.yaml"
        self.port = 0
        self.first = {"base_url": url, "web_listen_address": "127.0.0.1:0", "poll_interval": "1s", **settings}
        self.write(**self.first)
        self.create()

    def create(
        self, load: Callable[[], LoadedSettings] | None = None, environ: Mapping[str, str] = NO_VARIABLES
    ) -> None:
        """Create the daemon; `load` replaces the function that a reload calls."""
        self.daemon = Daemon(load or self.load, self.load(), ENVIRONMENT, environ=environ, announce=self.set_port)

    def change(self, **settings: Any) -> None:
        self.write(**{**self.written, **settings})

    def write(self, **settings: Any) -> None:
        self.written = settings
        self.file.write_text(json.dumps(settings))  # JSON is YAML too

    def load(self) -> LoadedSettings:
        return load({"config_file": str(self.file)}, {"LIVEPEER_API_KEY": KEY})

    def set_port(self, port: int) -> None:
        self.port = port

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def ready(self) -> None:
        """Wait until the first poll has succeeded."""
        response = await self.get("/readyz")
        while response.status_code != 200:
            await asyncio.sleep(0.005)
            response = await self.get("/readyz")

    async def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Run the daemon and a scenario, then stop the daemon with SIGTERM."""
        task = asyncio.create_task(self.daemon.run())
        try:
            await wait_until(lambda: bool(self.port) or task.done())
            await scenario()
            assert not task.done()  # otherwise nothing handles the signal, and it would end the test run
            os.kill(os.getpid(), signal.SIGTERM)
            await task
        finally:
            task.cancel()


@pytest.mark.parametrize(
    ("name", "flag"), [("web_config_file", "--web.config.file"), ("webhook_config_file", "--webhook-config-file")]
)
def test_an_error_in_a_web_config_file_names_its_setting(tmp_path: Path, name: str, flag: str) -> None:
    webhook = {"webhook_listen_address": "127.0.0.1:0", "webhook_secret_file": "secret"}
    with pytest.raises(WebConfigError, match=f"^{flag}: cannot be read: No such file or directory$"):
        RunningDaemon(tmp_path, "http://127.0.0.1/api", **webhook, **{name: str(tmp_path / "missing")})


@in_loop
async def test_R03_the_daemon_serves_until_a_signal_and_restores_the_signal_handlers(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)

        async def scenario() -> None:
            for path in ("/", "/metrics", "/livez", "/readyz"):
                assert (await running.get(path)).status_code == 200

        before = signal.getsignal(signal.SIGTERM)
        await running.run(scenario)
        assert signal.getsignal(signal.SIGTERM) == before
        with pytest.raises(httpx.ConnectError):
            await running.get("/livez")


@in_loop
async def test_R04_a_reload_requested_during_a_reload_is_not_lost(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)
        read = running.load
        reads: list[float] = []

        def load_slowly() -> LoadedSettings:
            loaded = read()
            if not reads:  # during the first reload the file changes again
                running.write(**{**running.written, "poll_interval": "7s"})
                os.kill(os.getpid(), signal.SIGHUP)
            reads.append(loaded.settings.poll_interval)
            return loaded

        running.create(load_slowly)

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(lambda: len(reads) == 2)
            assert reads == [1, 7]

        await running.run(scenario)


@in_loop
async def test_R04_a_reload_changes_the_log_level(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)

        async def scenario() -> None:
            running.write(**{**running.written, "log_level": "error"})
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(lambda: logging.getLogger().level == logging.ERROR)

        await running.run(scenario)


@in_loop
async def test_R04_an_invalid_settings_file_fails_the_reload(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)

        async def scenario() -> None:
            running.write(poll_interval="never")
            with pytest.raises(SettingsError):
                running.load()
            await running.daemon.reload()
            assert "livepeer_studio_exporter_config_reload_successful 0.0" in (await running.get("/metrics")).text

        await running.run(scenario)


@in_loop
async def test_D05_an_emptied_settings_file_fails_the_reload_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url, account="events")

        async def scenario() -> None:
            running.file.write_text("")
            await running.daemon.reload()
            page = (await running.get("/metrics")).text
            assert f"{RELOADED} 0.0" in page
            assert 'livepeer_studio_up{account="events"}' in page

        await running.run(scenario)


HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
RELOADED = "livepeer_studio_exporter_config_reload_successful"


@in_loop
async def test_R04_a_failed_reload_leaves_the_web_config_in_effect(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url, web_config_file=str(web))

        async def scenario() -> None:
            web.write_text("")
            running.change(ca_file=str(tmp_path / "missing.pem"))
            await running.daemon.reload()
            assert (await running.get("/metrics")).status_code == 401
            running.write(**running.first)
            await running.daemon.reload()
            assert f"{RELOADED} 1.0" in (await running.get("/metrics")).text

        await running.run(scenario)


@in_loop
async def test_R04_an_internal_error_in_a_reload_does_not_end_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)

        def fail_to_load() -> LoadedSettings:
            raise KeyError("content of the file")

        running.create(fail_to_load)

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(lambda: "internal error" in str([getattr(each, "fields", "") for each in caplog.records]))
            assert f"{RELOADED} 0.0" in (await running.get("/metrics")).text

        await running.run(scenario)


@in_loop
async def test_V04_a_reload_that_takes_too_long_fails_and_the_next_one_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)
        timeouts = iter((HANG, 0))

        def load_slowly_once() -> LoadedSettings:
            has_begun.set()
            may_end.wait(next(timeouts))
            return running.load()

        running.daemon = Daemon(
            load_slowly_once,
            running.load(),
            ENVIRONMENT,
            environ={},
            announce=running.set_port,
            read_timeout=3600,
        )

        async def scenario() -> None:
            await running.ready()  # the start reads files too, and would also take longer than its timeout
            reloading = asyncio.create_task(running.daemon.reload())
            await wait_until(has_begun.is_set)
            advance(3600)
            await reloading
            assert f"{RELOADED} 0.0" in (await running.get("/metrics")).text
            reasons = [each[2]["reason"] for each in lines(caplog) if each[1].startswith("reload failed")]
            assert reasons == ["reading the files took longer than 3600 s"]
            await running.daemon.reload()
            assert not may_end.is_set()
            assert f"{RELOADED} 1.0" in (await running.get("/metrics")).text

        try:
            await running.run(scenario)
        finally:
            may_end.set()


@in_loop
async def test_R03_shutdown_does_not_wait_for_a_running_reload(tmp_path: Path) -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url)

        def load_until_allowed_to_end() -> LoadedSettings:
            has_begun.set()
            may_end.wait(HANG)
            return running.load()

        running.daemon = Daemon(
            load_until_allowed_to_end, running.load(), ENVIRONMENT, environ={}, announce=running.set_port
        )

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(has_begun.is_set)

        try:
            await running.run(scenario)
            assert not may_end.is_set()
        finally:
            may_end.set()


@in_loop
async def test_probes_can_have_their_own_port(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        running = RunningDaemon(tmp_path, url, web_health_listen_address="127.0.0.1:0")
        others = listening_ports(os.getpid())

        async def scenario() -> None:
            pages = running.port
            (running.port,) = listening_ports(os.getpid()) - others - {pages}
            found = {path: (await running.get(path)).status_code for path in ("/livez", "/readyz", "/metrics")}
            assert found == {"/livez": 200, "/readyz": 200, "/metrics": 404}
            running.port = pages
            assert (await running.get("/livez")).status_code == 200

        await running.run(scenario)


@in_loop
async def test_R07_an_address_in_use_is_an_error_that_names_the_flag(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        for setting, flag in (
            ("web_listen_address", "--web.listen-address"),
            ("web_health_listen_address", "--web.health-listen-address"),
        ):
            running = RunningDaemon(tmp_path, "http://127.0.0.1:9/api", **{setting: taken})
            with pytest.raises(OSError, match=f"Address already in use; choose another address with {flag}$"):
                await running.daemon.run()


@in_loop
async def test_the_service_manager_is_notified_of_start_watchdog_and_shutdown(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        received: list[bytes] = []

        def receive() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    received.append(manager.recv(4096))

        async with serving(Upstream([live_row(1)])) as url:
            running = RunningDaemon(tmp_path, url)
            environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
            running.daemon = Daemon(
                running.load, running.load(), ENVIRONMENT, environ=environ, announce=running.set_port
            )

            async def scenario() -> None:
                def is_notified() -> bool:
                    receive()
                    return b"READY=1" in received and received.count(b"WATCHDOG=1") >= 2

                await wait_until(is_notified)

            await running.run(scenario)
        receive()
        assert b"STOPPING=1" in received
