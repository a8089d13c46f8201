"""Simulated accounts and exporters that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.process.samples import SHORT_INTERVAL, UP
from tests.support.running import Exporter, running_exporter
from tests.support.simulated import Upstream, live_row, serving_in_thread


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """An account with two active sessions, one of them with control characters in its name."""
    with serving_in_thread(Upstream([live_row(1), live_row(2, name="nasty \n\x1b[31m%s%d\u202e name")])) as url:
        yield url


@pytest.fixture(scope="module")
def large_account() -> Iterator[str]:
    """An account whose page is larger than the system's buffers of a connection."""
    with serving_in_thread(Upstream([live_row(number, name="n" * 120) for number in range(4000)])) as url:
        yield url


@pytest.fixture(scope="module")
def shared_exporter(base_url: str) -> Iterator[Exporter]:
    """A running exporter that no test stops or reconfigures."""
    with running_exporter("--base-url", base_url, *SHORT_INTERVAL) as exporter:
        exporter.wait_for_value(UP, 1)
        yield exporter
