"""The parts together: accounts that come, change and go while the program runs, and the daemon around them."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.config import LoadedSettings, Settings, SettingsError, load
from exporter.metrics.text_format import Format
from exporter.runtime.app import App, Environment
from exporter.runtime.daemon import Daemon
from exporter.simulator.serve import serving
from tests.fleet.hand import Hand
from tests.server.certificates import Authority, replace_file
from tests.support.canary import KEY
from tests.support.harness import Time
from tests.support.loop import in_loop
from tests.support.running import Answer
from tests.support.simulated import Upstream, answering, live

pytestmark = pytest.mark.usefixtures("root_logger_as_before")

OUTSIDE = Environment(time.time, time.monotonic, lambda: 0.5, lambda _: None)


def page(app: App) -> dict[str, float]:
    """The samples of the page, without the prefix."""
    body = b"".join(app.board.page(Format.TEXT).plain())
    return {name.removeprefix("livepeer_studio_"): value for name, value in Answer(200, {}, body).values.items()}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; a test's own deadline ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - it becomes so without an event
        await asyncio.sleep(0.01)


def settings_of(directory: Path, url: str, *names: str, **changes: Any) -> Settings:
    """Settings with these accounts, each polled every second."""
    key = directory / "key"
    key.write_text(KEY)
    accounts = [{"name": name, "api_key_file": str(key), "base_url": url} for name in names]
    return Settings(accounts=accounts, **{"poll_interval": "1s", **changes})


def is_up(app: App, account: str) -> Callable[[], bool]:
    return lambda: page(app).get(f'up{{account="{account}"}}') == 1


@in_loop
async def test_every_account_is_polled_and_shown(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        app = App(settings_of(tmp_path, url, "a", "b"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        await until(is_up(app, "b"))
        assert page(app)['sessions{account="b",state="active"}'] == 1
        await app.stop()


@in_loop
async def test_a_failing_account_does_not_disturb_another(tmp_path: Path) -> None:
    bad = Upstream([])
    bad.instead = answering(500)
    async with serving(Upstream([live(1)])) as url, serving(bad) as broken:
        key = tmp_path / "key"
        key.write_text(KEY)
        accounts = [
            {"name": name, "api_key_file": str(key), "base_url": base} for name, base in (("a", broken), ("b", url))
        ]
        app = App(Settings(accounts=accounts, poll_interval="1s"), OUTSIDE)
        await app.start()
        await until(lambda: page(app)['exporter_polls_total{account="b"}'] >= 3)
        assert page(app)['up{account="a"}'] == 0
        assert page(app)['exporter_poll_failures_total{account="b",class="server"}'] == 0
        await app.stop()


@in_loop
async def test_an_account_that_is_added_appears_and_the_others_go_on(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        polls = page(app)['exporter_polls_total{account="a"}']
        assert await app.apply(settings_of(tmp_path, url, "a", "b")) == ()
        await until(is_up(app, "b"))
        assert page(app)['up{account="a"}'] == 1
        assert page(app)['exporter_polls_total{account="a"}'] >= polls
        await app.stop()


@in_loop
async def test_an_account_that_is_removed_disappears_and_is_not_polled_any_more(tmp_path: Path) -> None:
    upstream = Upstream([live(1)])
    async with serving(Upstream([live(1)])) as url, serving(upstream) as other:
        both = settings_of(tmp_path, url, "a", "b")
        entries = [
            entry.model_copy(update={"base_url": other}) if entry.name == "b" else entry
            for entry in both.account_entries
        ]
        app = App(both.model_copy(update={"account_entries": tuple(entries)}), OUTSIDE)
        await app.start()
        await until(is_up(app, "b"))
        await app.apply(settings_of(tmp_path, url, "a"))
        asked = len(upstream.keys)
        assert not [name for name in page(app) if 'account="b"' in name]
        polls = page(app)['exporter_polls_total{account="a"}']
        await until(lambda: page(app)['exporter_polls_total{account="a"}'] >= polls + 2)
        assert len(upstream.keys) == asked
        await app.stop()


@in_loop
async def test_an_account_that_is_changed_keeps_its_counters_and_what_it_shows(tmp_path: Path) -> None:
    upstream = Upstream([live(1, sourceBytes=1000)])
    async with serving(upstream) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        polls = page(app)['exporter_polls_total{account="a"}']
        upstream.rows_ = [live(1, sourceBytes=1700)]
        await app.apply(settings_of(tmp_path, url, "a", page_limit=500))
        shown = page(app)
        assert shown['sessions{account="a",state="active"}'] == 1
        assert shown['up{account="a"}'] == 1
        await until(lambda: page(app)['exporter_polls_total{account="a"}'] > polls)
        await until(lambda: page(app)['source_bytes_total{account="a"}'] == 700)
        await app.stop()


@in_loop
async def test_settings_that_need_a_restart_are_named_and_do_not_take_effect(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        asked = settings_of(tmp_path, url, "a", profile_series=True, web_telemetry_path="/other")
        assert set(await app.apply(asked)) == {"profile_series", "web_telemetry_path"}
        polls = page(app)['exporter_polls_total{account="a"}']
        await until(lambda: page(app)['exporter_polls_total{account="a"}'] > polls + 1)
        assert not [name for name in page(app) if name.startswith("session_profile_info")]
        await app.stop()


@in_loop
async def test_a_ca_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        with pytest.raises(OSError, match="the CA file cannot be used"):
            await app.apply(settings_of(tmp_path, url, "b", ca_file=str(tmp_path / "missing.pem")))
        polls = page(app)['exporter_polls_total{account="a"}']
        await until(lambda: page(app)['exporter_polls_total{account="a"}'] > polls)
        await app.stop()


@in_loop
async def test_a_lower_series_limit_holds_from_the_next_poll_on(tmp_path: Path) -> None:
    async with serving(Upstream([live(number) for number in range(10)])) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        await until(is_up(app, "a"))
        await app.apply(settings_of(tmp_path, url, "a", max_series=100))
        await until(lambda: app.board.series() <= 100)
        assert page(app)['exporter_sessions_dropped{account="a",reason="series_limit"}'] > 0
        await app.stop()


@in_loop
async def test_the_program_is_not_ready_any_more_once_it_stops(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        app = App(settings_of(tmp_path, url, "a"), OUTSIDE)
        await app.start()
        assert app.health.ready()
        app.stopping()
        assert not app.health.ready()
        assert app.health.alive()
        await app.stop()


def by_hand(settings: Settings) -> tuple[App, Hand]:
    """The program with clocks that stand still until its polls are turned by hand."""
    clocks = Time(time.time())
    environment = Environment(clocks.now, clocks.monotonic, lambda: 0.5, lambda _: None, sleep=clocks.sleep)
    hand = Hand(clocks)
    return App(settings, environment, hand), hand


@in_loop
async def test_R04_a_reload_does_not_cut_short_what_the_api_asks_to_wait(tmp_path: Path) -> None:
    upstream = Upstream([])
    upstream.instead = answering(429, headers={"Retry-After": "600"})
    async with serving(upstream) as url:
        app, hand = by_hand(settings_of(tmp_path, url, "a"))
        await app.start()
        await hand.turn(1)
        asked = len(upstream.keys)
        for changes in ({"max_staleness": "4m"}, {"max_staleness": "6m"}, {}):
            await app.apply(settings_of(tmp_path, url, "a", **changes))
            await hand.turn(190)
        assert len(upstream.keys) == asked
        await hand.turn(60)
        assert len(upstream.keys) > asked
        await app.stop()


@in_loop
async def test_R04_many_reloads_do_not_make_polls_come_faster_than_the_interval(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        settings = settings_of(tmp_path, url, "a", "b")
        app, hand = by_hand(settings)
        await app.start()
        for number in range(21):
            await app.apply(settings.model_copy(update={"page_limit": 500 + number}))
            await hand.turn(0.25)
        assert 2 * 5 <= hand.polls <= 2 * 6
        await app.stop()


@in_loop
async def test_R04_accounts_stay_spread_when_the_interval_changes(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        app, hand = by_hand(settings_of(tmp_path, url, "a", "b", "c", "d", poll_interval="60s"))
        await app.start()
        await app.apply(settings_of(tmp_path, url, "a", "b", "c", "d", poll_interval="20s"))
        assert list(hand.delays.values()) == [0.0, 5.0, 10.0, 15.0]
        await app.stop()


@in_loop
@pytest.mark.parametrize("status", [401, 403])
async def test_R04_a_reload_tries_another_key_at_once_and_a_refused_one_not_again(tmp_path: Path, status: int) -> None:
    upstream = Upstream([])
    upstream.instead = answering(status)
    async with serving(upstream) as url:
        settings = settings_of(tmp_path, url, "a")
        app, hand = by_hand(settings)
        await app.start()
        await hand.turn(1)
        for _ in range(3):
            await app.apply(settings)
            await hand.turn(10)
        assert hand.polls == 1  # the slow pace of a refused key
        (tmp_path / "key").write_text(f"{KEY}-2")
        for _ in range(3):
            await app.apply(settings)
            await hand.turn(1)
        assert hand.polls == 2
        assert upstream.keys[-1] == f"Bearer {KEY}-2"
        await app.stop()


@in_loop
async def test_U20_a_ca_file_that_is_replaced_is_trusted_after_a_reload(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*theirs.issue_server())

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
        settings = settings_of(tmp_path, url, "a", ca_file=str(ours.file))
        app, hand = by_hand(settings)
        await app.start()
        await hand.turn(3)
        failed = 'exporter_poll_failures_total{{account="a",class="{}"}}'
        assert page(app)[failed.format("tls")] >= 1
        replace_file(ours.file, theirs.file.read_bytes())
        await app.apply(settings)
        await hand.turn(10)
        assert page(app)[failed.format("not_found")] >= 1
        await app.stop()


class Service:
    """A daemon under test: its settings file, and what is asked of it."""

    def __init__(self, directory: Path, url: str, **settings: Any) -> None:
        self.file = directory / "settings.yaml"
        self.port = 0
        self.first = {"base_url": url, "web_listen_address": "127.0.0.1:0", "poll_interval": "1s", **settings}
        self.write(**self.first)
        loaded = self.load()
        self.daemon = Daemon(self.load, loaded, OUTSIDE, environ={}, announce=self.listens)

    def change(self, **settings: Any) -> None:
        self.write(**{**self.written, **settings})

    def write(self, **settings: Any) -> None:
        self.written = settings
        self.file.write_text(json.dumps(settings))  # JSON is YAML too

    def load(self) -> LoadedSettings:
        return load({"config_file": str(self.file)}, {"LIVEPEER_API_KEY": KEY})

    def listens(self, port: int) -> None:
        self.port = port

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def while_it_runs(self, scenario: Callable[[], Awaitable[None]]) -> None:
        running = asyncio.create_task(self.daemon.run())
        try:
            await until(lambda: bool(self.port) or running.done())
            await scenario()
            assert not running.done()  # else the signal would be for us
            os.kill(os.getpid(), signal.SIGTERM)
            await running
        finally:
            running.cancel()


@in_loop
async def test_R03_the_daemon_serves_until_a_signal_and_gives_the_signals_back(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)

        async def scenario() -> None:
            for path in ("/", "/metrics", "/livez", "/readyz"):
                assert (await service.get(path)).status_code == 200

        before = signal.getsignal(signal.SIGTERM)
        await service.while_it_runs(scenario)
        assert signal.getsignal(signal.SIGTERM) == before
        with pytest.raises(httpx.ConnectError):
            await service.get("/livez")


@in_loop
async def test_R04_a_reload_that_is_asked_for_during_a_reload_is_not_lost(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)
        read = service.load
        reads: list[float] = []

        def load_slowly() -> LoadedSettings:
            loaded = read()
            if not reads:  # while the first reload is under way, somebody changes the file and asks again
                service.write(**{**service.written, "poll_interval": "7s"})
                os.kill(os.getpid(), signal.SIGHUP)
            reads.append(loaded.settings.poll_interval)
            return loaded

        service.daemon = Daemon(load_slowly, read(), OUTSIDE, environ={}, announce=service.listens)

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: len(reads) == 2)
            assert reads == [1, 7]

        await service.while_it_runs(scenario)


@in_loop
async def test_R04_the_log_level_follows_a_reload(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)

        async def scenario() -> None:
            service.write(**{**service.written, "log_level": "error"})
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: logging.getLogger().level == logging.ERROR)

        await service.while_it_runs(scenario)


@in_loop
async def test_R04_a_bad_file_is_reported_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)

        async def scenario() -> None:
            service.write(poll_interval="never")
            with pytest.raises(SettingsError):
                service.load()
            await service.daemon.reload()
            assert "livepeer_studio_exporter_config_reload_successful 0.0" in (await service.get("/metrics")).text

        await service.while_it_runs(scenario)


HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
RELOADED = "livepeer_studio_exporter_config_reload_successful"


@in_loop
async def test_R04_a_reload_that_is_refused_leaves_the_passwords_in_force(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url, web_config_file=str(web))

        async def scenario() -> None:
            web.write_text("")
            service.change(ca_file=str(tmp_path / "missing.pem"))
            await service.daemon.reload()
            assert (await service.get("/metrics")).status_code == 401
            service.write(**service.first)
            await service.daemon.reload()
            assert f"{RELOADED} 1.0" in (await service.get("/metrics")).text

        await service.while_it_runs(scenario)


@in_loop
async def test_R04_a_mistake_of_our_own_in_a_reload_does_not_end_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)

        def load_badly() -> LoadedSettings:
            raise KeyError("what the file says")

        service.daemon = Daemon(load_badly, service.load(), OUTSIDE, environ={}, announce=service.listens)

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: "a mistake" in str([getattr(each, "fields", "") for each in caplog.records]))
            assert f"{RELOADED} 0.0" in (await service.get("/metrics")).text

        await service.while_it_runs(scenario)


@in_loop
async def test_R03_a_stop_does_not_wait_for_a_reload_that_is_stuck(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url)

        def load_for_ever() -> LoadedSettings:
            begun.set()
            go_on.wait(60)
            return service.load()

        service.daemon = Daemon(load_for_ever, service.load(), OUTSIDE, environ={}, announce=service.listens)

        async def scenario() -> None:
            os.kill(os.getpid(), signal.SIGHUP)
            await until(begun.is_set)

        try:
            await service.while_it_runs(scenario)
            assert not go_on.is_set()
        finally:
            go_on.set()


@in_loop
async def test_probes_can_have_a_port_of_their_own(tmp_path: Path, free_tcp_port: int) -> None:
    async with serving(Upstream([live(1)])) as url:
        service = Service(tmp_path, url, web_health_listen_address=f"127.0.0.1:{free_tcp_port}")

        async def scenario() -> None:
            service.port, pages = free_tcp_port, service.port
            found = {path: (await service.get(path)).status_code for path in ("/livez", "/readyz", "/metrics")}
            assert found == {"/livez": 200, "/readyz": 200, "/metrics": 404}
            service.port = pages
            assert (await service.get("/livez")).status_code == 200

        await service.while_it_runs(scenario)


@in_loop
async def test_a_service_manager_is_told_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        heard: list[bytes] = []

        def listen() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    heard.append(manager.recv(4096))

        async with serving(Upstream([live(1)])) as url:
            service = Service(tmp_path, url)
            environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
            service.daemon = Daemon(service.load, service.load(), OUTSIDE, environ=environ, announce=service.listens)

            async def scenario() -> None:
                def told() -> bool:
                    listen()
                    return b"READY=1" in heard and heard.count(b"WATCHDOG=1") >= 2

                await until(told)

            await service.while_it_runs(scenario)
        listen()
        assert b"STOPPING=1" in heard
