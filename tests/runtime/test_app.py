"""The app: accounts that are polled, and that are added, changed and removed while it runs."""

import asyncio
import ssl
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.metrics.text_format import Format
from exporter.runtime.app import App
from exporter.simulator.serve import serving
from tests.runtime.apps import ENVIRONMENT, create_app_on_manual_clock, is_up, samples, settings_with, wait_until
from tests.server.certificates import Authority, replace_file
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.simulated import Upstream, live_row, static_response

POLLS = 'exporter_polls_total{account="a"}'


@in_loop
async def test_every_account_is_polled_and_exported(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a", "b"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        await wait_until(is_up(app, "b"))
        assert samples(app)['sessions{account="b",state="active"}'] == 1
        await app.stop()


@in_loop
async def test_V11_before_polling_starts_every_account_is_down_and_starting(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a", "b"), ENVIRONMENT)
        assert [samples(app)[f'up{{account="{name}"}}'] for name in ("a", "b")] == [0, 0]
        page = app.render_status_page()
        assert page.count(">starting<") == 2
        assert "nothing needs attention" not in page
        await app.start()
        await wait_until(is_up(app, "a"))
        assert samples(app)['exporter_polls_total{account="a"}'] == 1
        assert app.render_status_page().count('<td class="text" data-label="Account">') == 2
        await app.stop()


@in_loop
async def test_V11_an_account_that_is_removed_and_added_again_starts_anew(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a", "b"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "b"))
        await app.apply(settings_with(tmp_path, url, "a"))
        assert 'up{account="b"}' not in samples(app)
        assert app.render_status_page().count('<td class="text" data-label="Account">') == 1
        await app.apply(settings_with(tmp_path, url, "a", "b", poll_interval="1h"))
        assert samples(app)['exporter_polls_total{account="b"}'] == 0
        await app.stop()


@in_loop
async def test_a_failing_account_does_not_affect_another(tmp_path: Path) -> None:
    bad = Upstream([])
    bad.override = static_response(500)
    async with serving(Upstream([live_row(1)])) as url, serving(bad) as broken:
        key = tmp_path / "key"
        key.write_text(KEY)
        accounts = [
            {"name": name, "api_key_file": str(key), "base_url": base} for name, base in (("a", broken), ("b", url))
        ]
        app = App(Settings(accounts=accounts, poll_interval="1s"), ENVIRONMENT)
        await app.start()
        await wait_until(lambda: samples(app)['exporter_polls_total{account="b"}'] >= 3)
        assert samples(app)['up{account="a"}'] == 0
        assert samples(app)['exporter_poll_failures_total{account="b",class="server"}'] == 0
        await app.stop()


@in_loop
async def test_an_added_account_is_polled_while_the_others_continue(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        polls = samples(app)['exporter_polls_total{account="a"}']
        assert await app.apply(settings_with(tmp_path, url, "a", "b")) == ()
        await wait_until(is_up(app, "b"))
        assert samples(app)['up{account="a"}'] == 1
        assert samples(app)['exporter_polls_total{account="a"}'] >= polls
        await app.stop()


@in_loop
async def test_a_removed_account_disappears_and_is_no_longer_polled(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    async with serving(Upstream([live_row(1)])) as url, serving(upstream) as other:
        both = settings_with(tmp_path, url, "a", "b")
        entries = [
            entry.model_copy(update={"base_url": other}) if entry.name == "b" else entry
            for entry in both.account_entries
        ]
        app = App(both.model_copy(update={"account_entries": tuple(entries)}), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "b"))
        await app.apply(settings_with(tmp_path, url, "a"))
        requests = len(upstream.authorization_headers)
        assert not [name for name in samples(app) if 'account="b"' in name]
        polls = samples(app)['exporter_polls_total{account="a"}']
        await wait_until(lambda: samples(app)['exporter_polls_total{account="a"}'] >= polls + 2)
        assert len(upstream.authorization_headers) == requests
        await app.stop()


@in_loop
async def test_a_changed_account_keeps_its_counters_and_its_data(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1, sourceBytes=1000)])
    async with serving(upstream) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        polls = samples(app)['exporter_polls_total{account="a"}']
        upstream.current_rows = [live_row(1, sourceBytes=1700)]
        await app.apply(settings_with(tmp_path, url, "a", page_limit=500))
        found = samples(app)
        assert found['sessions{account="a",state="active"}'] == 1
        assert found['up{account="a"}'] == 1
        await wait_until(lambda: samples(app)['exporter_polls_total{account="a"}'] > polls)
        await wait_until(lambda: samples(app)['source_bytes_total{account="a"}'] == 700)
        await app.stop()


@pytest.mark.parametrize("is_disabled", [False, True])
@in_loop
async def test_exporter_metrics_are_disabled_for_every_account_from_the_start(
    is_disabled: bool, tmp_path: Path
) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a", web_disable_exporter_metrics=is_disabled), ENVIRONMENT)
        accounts = _accounts_with_buckets(app)
        await app.start()
        await wait_until(is_up(app, "a"))
        requested = settings_with(tmp_path, url, "a", "b", web_disable_exporter_metrics=not is_disabled)
        assert await app.apply(requested) == ("web_disable_exporter_metrics",)
        await wait_until(is_up(app, "b"))
        assert (accounts, _accounts_with_buckets(app)) == (([], []) if is_disabled else (["a"], ["a", "b"]))
        assert (b"process_open_fds" in app.process.tail(Format.TEXT)) is not is_disabled
        await app.stop()


def _accounts_with_buckets(app: App) -> list[str]:
    return [
        name for name in "ab" if f'exporter_poll_duration_seconds_bucket{{account="{name}",le="1.0"}}' in samples(app)
    ]


@in_loop
async def test_startup_settings_are_returned_and_do_not_take_effect(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        requested = settings_with(tmp_path, url, "a", profile_series=True, web_telemetry_path="/other")
        assert set(await app.apply(requested)) == {"profile_series", "web_telemetry_path"}
        polls = samples(app)['exporter_polls_total{account="a"}']
        await wait_until(lambda: samples(app)['exporter_polls_total{account="a"}'] > polls + 1)
        assert not [name for name in samples(app) if name.startswith("session_profile_info")]
        await app.stop()


@in_loop
async def test_an_unusable_ca_file_changes_nothing(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        with pytest.raises(OSError, match="--ca-file: "):
            await app.apply(settings_with(tmp_path, url, "b", ca_file=str(tmp_path / "missing.pem")))
        polls = samples(app)['exporter_polls_total{account="a"}']
        await wait_until(lambda: samples(app)['exporter_polls_total{account="a"}'] > polls)
        await app.stop()


@in_loop
async def test_a_lower_series_limit_takes_effect_with_the_next_poll(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(number) for number in range(10)])) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        await app.apply(settings_with(tmp_path, url, "a", max_series=100))
        await wait_until(lambda: app.page_store.series() <= 100)
        assert samples(app)['exporter_sessions_dropped{account="a",reason="series_limit"}'] > 0
        await app.stop()


@in_loop
async def test_a_stopping_app_is_alive_but_not_ready(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        app = App(settings_with(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        assert app.health.ready()
        app.begin_stop()
        assert not app.health.ready()
        assert app.health.alive()
        await app.stop()


@in_loop
async def test_R04_a_reload_does_not_shorten_the_wait_that_the_api_requested(tmp_path: Path) -> None:
    upstream = Upstream([])
    upstream.override = static_response(429, headers={"Retry-After": "600"})
    async with serving(upstream) as url:
        app, schedule = create_app_on_manual_clock(settings_with(tmp_path, url, "a"))
        await app.start()
        await schedule.run_for(1)
        requests = len(upstream.authorization_headers)
        for changes in ({"max_staleness": "4m"}, {"max_staleness": "6m"}, {}):
            await app.apply(settings_with(tmp_path, url, "a", **changes))
            await schedule.run_for(190)
        assert len(upstream.authorization_headers) == requests
        await schedule.run_for(60)
        assert len(upstream.authorization_headers) > requests
        await app.stop()


@pytest.mark.parametrize(("before", "after"), [("60s", "20s"), ("20s", "60s")])
@in_loop
async def test_R04_another_interval_does_not_shorten_the_wait_that_the_api_requested(
    tmp_path: Path, before: str, after: str
) -> None:
    upstream = Upstream([])
    upstream.override = static_response(429, headers={"Retry-After": "600"})
    async with serving(upstream) as url:
        app, schedule = create_app_on_manual_clock(settings_with(tmp_path, url, "a", poll_interval=before))
        await app.start()
        await schedule.run_for(1)
        requests = len(upstream.authorization_headers)
        await app.apply(settings_with(tmp_path, url, "a", poll_interval=after))
        await schedule.run_for(590)
        assert len(upstream.authorization_headers) == requests
        await app.stop()


@in_loop
async def test_R04_frequent_reloads_do_not_make_polls_more_frequent_than_the_interval(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        settings = settings_with(tmp_path, url, "a", "b")
        app, schedule = create_app_on_manual_clock(settings)
        await app.start()
        for number in range(21):
            await app.apply(settings.model_copy(update={"page_limit": 500 + number}))
            await schedule.run_for(0.25)
        assert 2 * 5 <= schedule.run_count <= 2 * 6
        await app.stop()


@in_loop
async def test_R04_polls_stay_spread_when_the_interval_changes(tmp_path: Path) -> None:
    async with serving(Upstream([])) as url:
        app, schedule = create_app_on_manual_clock(
            settings_with(tmp_path, url, "a", "b", "c", "d", poll_interval="60s")
        )
        await app.start()
        await app.apply(settings_with(tmp_path, url, "a", "b", "c", "d", poll_interval="20s"))
        assert list(schedule.first_delays.values()) == [0.0, 5.0, 10.0, 15.0]
        await app.stop()


@in_loop
@pytest.mark.parametrize("status", [401, 403])
async def test_R04_a_reload_polls_immediately_with_a_new_key_but_not_with_a_rejected_one(
    tmp_path: Path, status: int
) -> None:
    upstream = Upstream([])
    upstream.override = static_response(status)
    async with serving(upstream) as url:
        settings = settings_with(tmp_path, url, "a")
        app, schedule = create_app_on_manual_clock(settings)
        await app.start()
        await schedule.run_for(1)
        for _ in range(3):
            await app.apply(settings)
            await schedule.run_for(10)
        assert samples(app)[POLLS] == 1  # a rejected key is retried once per minute
        (tmp_path / "key").write_text(f"{KEY}-2")
        for _ in range(3):
            await app.apply(settings)
            await schedule.run_for(1)
        assert samples(app)[POLLS] == 2
        assert upstream.authorization_headers[-1] == f"Bearer {KEY}-2"
        await app.stop()


@in_loop
@pytest.mark.parametrize("status", [401, 403])
async def test_V10_a_changed_key_file_is_noticed_within_one_interval_after_a_rejection(
    tmp_path: Path, status: int
) -> None:
    upstream = Upstream([])
    upstream.override = static_response(status)
    async with serving(upstream) as url:
        app, schedule = create_app_on_manual_clock(settings_with(tmp_path, url, "a", poll_interval="5s"))
        await app.start()
        await schedule.run_for(22)
        assert samples(app)[POLLS] == 1
        (tmp_path / "key").write_text("")  # is being rewritten
        await schedule.run_for(10)
        assert samples(app)[POLLS] == 1
        (tmp_path / "key").write_text(f"{KEY}-2")
        upstream.key, upstream.override = f"{KEY}-2", None
        await schedule.run_for(5)
        assert samples(app)['up{account="a"}'] == 1
        assert samples(app)[POLLS] == 2
        await app.stop()


@in_loop
async def test_U20_a_replaced_ca_file_is_trusted_after_a_reload(tmp_path: Path) -> None:
    one, other = Authority(tmp_path, "one"), Authority(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*other.issue_server())

    async def not_found(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(not_found, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
        settings = settings_with(tmp_path, url, "a", ca_file=str(one.file))
        app, schedule = create_app_on_manual_clock(settings)
        await app.start()
        await schedule.run_for(3)
        failed = 'exporter_poll_failures_total{{account="a",class="{}"}}'
        assert samples(app)[failed.format("tls")] >= 1
        replace_file(one.file, other.file.read_bytes())
        await app.apply(settings)
        await schedule.run_for(10)
        assert samples(app)[failed.format("not_found")] >= 1
        await app.stop()
