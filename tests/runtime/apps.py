"""Apps under test, and what their metrics page shows."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter.config import Settings
from exporter.metrics.text_format import Format
from exporter.runtime.app import App
from exporter.runtime.environment import Environment
from tests.fleet.manual import ManualScheduler
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.running import Response

ENVIRONMENT = Environment(time.time, time.monotonic, lambda: 0.5, lambda _: None)


def samples(app: App) -> dict[str, float]:
    """The samples of the page, by name without the prefix and labels."""
    body = b"".join(app.page_store.page(Format.TEXT).plain())
    return {name.removeprefix("livepeer_studio_"): value for name, value in Response(200, {}, body).values.items()}


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the deadline of the test bounds the wait."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


def is_up(app: App, account: str) -> Callable[[], bool]:
    """Return a condition: the last poll of the account succeeded."""
    return lambda: samples(app).get(f'up{{account="{account}"}}') == 1


def settings_with(directory: Path, url: str, *accounts: str, **changes: Any) -> Settings:
    """Settings with these accounts, which share a key file and are polled every second."""
    key = directory / "key"
    key.write_text(KEY)
    entries = [{"name": name, "api_key_file": str(key), "base_url": url} for name in accounts]
    return Settings(accounts=entries, **{"poll_interval": "1s", **changes})


def create_app_on_manual_clock(settings: Settings) -> tuple[App, ManualScheduler]:
    """Create an app whose clocks only move, and whose polls only run, when the test advances the schedule."""
    clocks = ManualClock(time.time())
    environment = Environment(clocks.now, clocks.monotonic, lambda: 0.5, lambda _: None, sleep=clocks.sleep)
    schedule = ManualScheduler(clocks)
    return App(settings, environment, schedule), schedule
