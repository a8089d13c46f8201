"""Webhooks of the app: which account has one, and what a reload keeps."""

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

from exporter.config import Settings
from exporter.runtime.app import App
from exporter.simulator.serve import serving
from exporter.webhooks.intake import ACCEPTED, REPEATED, UNSIGNED
from tests.runtime.apps import ENVIRONMENT, is_up, samples, settings_with, wait_until
from tests.support.loop import in_loop
from tests.support.simulated import Upstream, live_row
from tests.webhooks.calls import SECRET, body, header

HINTED = 'exporter_hinted_polls_total{account="a",result="success"}'


def settings_with_webhook(directory: Path, url: str, *names: str, **changes: Any) -> Settings:
    """Return the settings of accounts, of which the named ones have a webhook."""
    (directory / "secret").write_text(SECRET)
    plain = settings_with(directory, url, "a", "b", **{"poll_interval": "1h", "max_staleness": "3h", **changes})
    entries = [
        each.model_copy(update={"webhook_secret_file": directory / "secret" if each.name in names else None})
        for each in plain.account_entries
    ]
    values = {name: getattr(plain, name) for name in plain.model_fields_set if name != "account_entries"}
    return Settings(accounts=entries, webhook_listen_address=":9878", **values)


def event(number: int = 1) -> bytes:
    """Return the body of a call that is sent now."""
    return body("stream.started", number, timestamp=int(time.time() * 1000))


def call(app: App, name: str, content: bytes) -> object:
    intake = app.intake_of(name)
    assert intake is not None
    return intake.take(content, header(content, time=time.time()))


@in_loop
async def test_only_an_account_with_a_secret_has_a_webhook_and_its_metrics(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with_webhook(tmp_path, url, "a"), ENVIRONMENT)
        assert app.intake_of("a") is None
        assert not app.has_started()
        await app.start()
        assert app.has_started()
        assert app.intake_of("b") is app.intake_of("c") is None
        await wait_until(is_up(app, "a"))
        assert samples(app)[HINTED] == 0
        assert not [name for name in samples(app) if "webhook" in name and 'account="b"' in name]
        await app.stop()


@in_loop
async def test_V20_a_reload_keeps_the_events_and_the_counters(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    async with serving(upstream) as url:
        app = App(settings_with_webhook(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        assert call(app, "a", event()) is ACCEPTED
        await wait_until(lambda: samples(app)[HINTED] == 1)
        await app.apply(settings_with_webhook(tmp_path, url, "a", "b", page_limit=10))
        assert call(app, "a", event()) is REPEATED
        assert call(app, "b", event()) is ACCEPTED
        intake = app.intake_of("b")
        assert intake is not None
        assert intake.take(body(), header(body(), "wrong")) is UNSIGNED
        assert samples(app)['webhooks_total{account="b",event="none",result="unauthorized"}'] == 1  # no poll in between
        assert samples(app)[HINTED] == 1
        await app.apply(settings_with_webhook(tmp_path, url, "b"))
        assert app.intake_of("a") is None
        await app.stop()


@in_loop
async def test_V19_a_reload_does_not_renew_the_requests_of_the_minute(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    limit = {"webhook_max_requests_per_minute": 3}
    async with serving(upstream) as url:
        app = App(settings_with_webhook(tmp_path, url, "a", **limit), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        call(app, "a", event())
        await wait_until(lambda: samples(app)[HINTED] == 1)
        # Changed, removed, and added again, as which it is polled at once.
        await app.apply(settings_with_webhook(tmp_path, url, "a", **limit, page_limit=10))
        await app.apply(settings_with(tmp_path, url, "b", poll_interval="1h", max_staleness="3h"))
        assert app.intake_of("a") is None
        await app.apply(settings_with_webhook(tmp_path, url, "a", **limit))
        await wait_until(is_up(app, "a"))
        requests = len(upstream.authorization_headers)
        call(app, "a", event(2))
        await asyncio.sleep(0.1)
        assert samples(app)[HINTED] == 0  # of new counters
        assert len(upstream.authorization_headers) == requests
        faster = {"poll_interval": "1s", "webhook_max_requests_per_minute": 6}
        await app.apply(settings_with_webhook(tmp_path, url, "a", **faster))
        numbers = itertools.count(3)
        while samples(app)[HINTED] == 0:  # the first calls may be saved by the polls of the account
            call(app, "a", event(next(numbers)))
            await asyncio.sleep(0.1)
        await app.stop()


@in_loop
async def test_a_call_during_a_reload_is_received(tmp_path: Path) -> None:
    async with serving(Upstream([live_row(1)])) as url:
        app = App(settings_with_webhook(tmp_path, url, "a"), ENVIRONMENT)
        await app.start()
        await wait_until(is_up(app, "a"))
        reload = asyncio.create_task(app.apply(settings_with_webhook(tmp_path, url, "a", page_limit=10)))
        number = 0
        while not reload.done():
            assert call(app, "a", event(number)) is ACCEPTED
            number += 1
            await asyncio.sleep(0)
        accepted = 'webhooks_total{account="a",event="stream.started",result="accepted"}'
        assert samples(app)[accepted] == number > 1
        await app.stop()
