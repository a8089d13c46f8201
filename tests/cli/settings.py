"""Settings and environment of commands under test."""

import time

from exporter.config import LoadedSettings, load
from exporter.runtime.environment import Environment
from tests.support.canary import KEY
from tests.support.clock import ManualClock

ENVIRONMENT = Environment(time.time, time.monotonic, lambda: 0.5, lambda _: None)


def environment_with(clock: ManualClock) -> Environment:
    """An environment on a manual clock, in which nothing really sleeps."""
    return Environment(clock.now, clock.monotonic, lambda: 0.5, lambda _: None, sleep=clock.sleep)


def settings_for(url: str, **changes: str) -> LoadedSettings:
    """Settings for one account of an API at this URL."""
    return load({"base_url": url, **changes}, {"LIVEPEER_API_KEY": KEY})
